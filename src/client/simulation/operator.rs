//! The operator: what a person does about what the service refused.

use super::message::{number_of, request_id};
use super::till::Till;
use crate::client::DecisionError;
use crate::model::{Operation, ReversalReason, ThirdPartyIdentifiers};
use crate::saf::{AdviceRecord, Conflict, Correction};

/// What is done about a refused advice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Requeue,
    Reissue,
    Abandon,
}

impl Till {
    /// Goes through what was refused, as somebody does now and then.
    pub(super) async fn settle_refused(&self, dice: &mut fastrand::Rng) {
        for advice in self.client.advices().rejected().unwrap_or_default() {
            let way = match dice.u8(..8) {
                0..2 => Way::Requeue,
                2..4 => Way::Reissue,
                4 => Way::Abandon,
                _ => continue,
            };
            let number = number_of(advice.request_id);
            // More often than not the provider has seen to it before.
            if dice.u8(..3) > 0 {
                self.world.sales().cure(number);
            }
            self.remedy(number, way, &advice).await;
            if !self.world.lives(self.life) {
                return;
            }
        }
    }

    async fn remedy(&self, number: u32, way: Way, advice: &AdviceRecord) {
        let (world, id) = (&self.world, request_id(number));
        world.audit().ask(number, way);
        world.sales().ask(number, way);
        let done = match way {
            Way::Requeue => self.client.requeue(id, "somebody").await.map(|_| ()),
            Way::Reissue => {
                let reissued = self.client.reissue(id, correction(advice), "somebody");
                reissued.await.map(|_| ())
            }
            Way::Abandon => self.client.abandon(id, "settled", "somebody").await,
        };
        if !world.lives(self.life) {
            return;
        }
        world.note(|| format!("{way:?} {number}: {done:?}"));
        world.audit().intervene();
        self.accuse(match (done, way) {
            (Ok(()), Way::Abandon) => world.audit().check_abandoned(number),
            (Ok(()), _) => Ok(()),
            (
                Err(
                    DecisionError::Store(_)
                    | DecisionError::Full(_)
                    | DecisionError::NotExtended(_)
                    | DecisionError::Closed,
                ),
                _,
            ) => Ok(()),
            // An earlier try was written, and nobody was told.
            (Err(DecisionError::Conflict(Conflict::StillPending | Conflict::Settled)), _) => Ok(()),
            (Err(error), _) => Err(format!("{way:?} of {number}: {error:?}")),
        });
    }
}

/// Something that the service does not mind.
fn correction(advice: &AdviceRecord) -> Correction {
    match advice.operation {
        Operation::ConfirmPayment | Operation::ConfirmRedeem => Correction::builder()
            .third_party_identifiers(ThirdPartyIdentifiers::default())
            .build(),
        _ => Correction::builder()
            .reason(ReversalReason::Timeout)
            .build(),
    }
}
