//! Seeing how the delivery goes, and steering it by hand.

use super::{Client, Core, DecisionError, OpenError, recovery};
use crate::api::{Credentials, Trouble};
use crate::model::AdviceId;
use crate::saf::ledger::Note;
use crate::saf::{LedgerError, LinkState, Suspension};
use crate::store::StoreError;

/// How the delivery of advices goes. Everything is well where [`is_well`](Health::is_well) says so.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// Whether the upstream can be reached.
    pub link: LinkState,
    /// What was in the way of the last call, if the service has not spoken since.
    pub trouble: Option<Trouble>,
    /// Why nothing is delivered until somebody has looked: see [`Suspension`].
    pub suspension: Option<Suspension>,
    /// Whether the delivery was [paused](Client::pause).
    pub is_paused: bool,
    /// Whether the queue belongs to another upstream, user or till ([`Client::adopt`]).
    pub is_quarantined: bool,
    /// Why the queue on the disk could not be read or written the last time, or takes nothing more.
    pub store_error: Option<String>,
    /// How many advices are pending.
    pub pending: usize,
    /// How many advices the upstream refused that nobody has seen to yet
    /// ([`Advices::rejected`](crate::Advices::rejected)).
    pub rejected: usize,
    /// How many advices cannot be sent because their records are damaged, as far as the delivery came upon
    /// them ([`Advices::damaged`](crate::Advices::damaged)).
    pub damaged: usize,
    /// How many pending advices the disk would not give out when it was asked last. They are tried again. For
    /// the first half a minute everything waits with them; after that they hold up no others, those of the
    /// same order included, which nobody can tell. With [`in_order`](crate::ClientBuilder::in_order) all
    /// others wait until it can be read.
    pub unreadable: usize,
    /// With [`in_order`](crate::ClientBuilder::in_order), the advice that was tried in vain and that all
    /// others wait for.
    pub blocked_by: Option<AdviceId>,
}

impl Health {
    /// Whether nothing is in the way of the delivery, and no advice waits for a person. Whether somebody has
    /// to decide on a request is for [`undecided`](crate::Advices::undecided) and
    /// [`duplicates`](crate::Advices::duplicates) to say.
    pub fn is_well(&self) -> bool {
        let is_held = self.is_paused || self.is_quarantined || self.suspension.is_some();
        let is_reached = self.link == LinkState::Up && self.trouble.is_none();
        let is_whole = self.store_error.is_none() && self.damaged == 0 && self.unreadable == 0;
        let is_flowing = self.blocked_by.is_none() && self.rejected == 0;
        is_reached && !is_held && is_whole && is_flowing
    }
}

/// Why other credentials were not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// The queue belongs to the user that the client was opened with.
    #[error("the queue belongs to another user: open the client again with these credentials")]
    AnotherUser,
}

/// # Steering the delivery
impl Client {
    /// How the delivery of advices goes.
    pub fn health(&self) -> Health {
        let core = &self.core;
        let (damaged, unreadable) = core.schedule.unreadable();
        Health {
            link: core.link.public_state(),
            trouble: core.link.trouble(),
            suspension: core.control.suspension(),
            is_paused: core.control.is_paused(),
            is_quarantined: core.control.is_quarantined(),
            store_error: core.store_error(),
            pending: core.schedule.len(),
            rejected: core.ledger.refused(),
            damaged,
            unreadable,
            blocked_by: core.blocked_by(),
        }
    }

    /// Tries everything that is pending now, instead of when it is due; one advice of it where the
    /// upstream is down.
    pub fn deliver_now(&self) {
        self.core.link.hurry();
        self.core.control.hurry();
        self.core.schedule.hurry();
    }

    /// Sends no more advices until [`resume`](Client::resume), or until the next open. What is being
    /// sent is finished. Decisions are taken and stored as always.
    pub fn pause(&self) {
        self.core.control.pause();
    }

    /// Ends a [`pause`](Client::pause) or a [`Suspension`].
    ///
    /// # Errors
    /// As for [`confirm`](Client::confirm), where the end of a suspension cannot be stored.
    pub async fn resume(&self) -> Result<(), DecisionError> {
        let core = &self.core;
        core.control.resume(&core.ledger).await?;
        core.schedule.nudge();
        Ok(())
    }

    /// Uses another password from now on, for what is pending, too.
    ///
    /// # Errors
    /// [`CredentialsError::AnotherUser`]: the queue belongs to the user that it was opened with.
    pub fn replace_credentials(&self, credentials: Credentials) -> Result<(), CredentialsError> {
        match self.core.transport.replace_credentials(credentials) {
            true => {
                self.deliver_now();
                Ok(())
            }
            false => Err(CredentialsError::AnotherUser),
        }
    }
}

impl Core {
    /// The suspension of an earlier process stands until somebody ends it.
    pub(super) fn take_up_suspension(&self) -> Result<(), OpenError> {
        let note = match self.ledger.note(Note::Suspension) {
            // What is still refused suspends the delivery again.
            Err(LedgerError::Store(StoreError::Damaged { reason })) => {
                tracing::error!(%reason, "why delivery was suspended is not known any more");
                None
            }
            note => note.map_err(recovery::unreadable)?,
        };
        let suspension = note.and_then(|note| serde_json::from_slice::<Suspension>(&note).ok());
        if let Some(suspension) = suspension {
            tracing::error!(status = suspension.status, error_type = ?suspension.error_type, "delivery is suspended");
            self.control.suspend(suspension);
        }
        Ok(())
    }

    /// What the worker met, or what a till would meet.
    fn store_error(&self) -> Option<String> {
        let met = self.control.store_error();
        met.or_else(|| self.ledger.trouble().map(|error| error.to_string()))
    }

    fn blocked_by(&self) -> Option<AdviceId> {
        let oldest = self.schedule.blocking()?;
        let transaction = self.ledger.transaction(oldest).ok()??;
        let advice = transaction.pending_advice()?;
        (advice.attempts > 0).then_some(advice.id)
    }
}
