//! What is the same in every message of a till, said once.

use super::check::{Check, Rules};
use super::originator::{Institution, Originator};

/// What is put into every message that does not say otherwise.
///
/// ```
/// use money_transfer_retailer::model::{Defaults, Fill, Institution, LookupOrderQuery};
///
/// let defaults = Defaults::builder().receiver(Institution::new("100", "Provider")).build();
/// let mut query = LookupOrderQuery::builder().order_redeem_ref("12345678901234567890").build();
/// query.fill(&defaults);
/// assert_eq!(query.receiver_id.as_deref(), Some("100"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, bon::Builder)]
#[non_exhaustive]
pub struct Defaults {
    /// Shop, till and cashier.
    pub originator: Option<Originator>,
    /// Who sends the messages.
    pub client: Option<Institution>,
    /// The provider the messages are for.
    pub receiver: Option<Institution>,
    /// Who settles with the retailer.
    pub settlement_entity: Option<Institution>,
}

impl Check for Defaults {
    fn inspect(&self, rules: &mut Rules) {
        rules.optional_part("originator", self.originator.as_ref());
        rules.optional_part("client", self.client.as_ref());
        rules.optional_part("receiver", self.receiver.as_ref());
        rules.optional_part("settlementEntity", self.settlement_entity.as_ref());
    }
}

/// A message that can be completed with [`Defaults`].
pub trait Fill {
    /// Sets what the message does not set itself. What it already sets wins.
    fn fill(&mut self, defaults: &Defaults);
}

/// The fields of a message that have defaults.
pub(crate) struct Parties<'a> {
    pub(super) originator: &'a mut Option<Originator>,
    pub(super) client: &'a mut Option<Institution>,
    pub(super) settlement_entity: &'a mut Option<Institution>,
    pub(super) receiver: &'a mut Option<Institution>,
}

impl Parties<'_> {
    pub(super) fn fill(self, defaults: &Defaults) {
        set_absent(self.originator, defaults.originator.as_ref());
        set_absent(self.client, defaults.client.as_ref());
        set_absent(self.settlement_entity, defaults.settlement_entity.as_ref());
        set_absent(self.receiver, defaults.receiver.as_ref());
    }
}

/// The ids that queries carry instead of whole parties.
impl Defaults {
    pub(super) fn receiver_id(&self) -> Option<&String> {
        self.receiver.as_ref().map(|receiver| &receiver.id)
    }

    pub(super) fn settlement_entity_id(&self) -> Option<&String> {
        self.settlement_entity.as_ref().map(|entity| &entity.id)
    }

    pub(super) fn originator_inst_id(&self) -> Option<&String> {
        self.originator
            .as_ref()
            .map(|originator| &originator.institution.id)
    }

    pub(super) fn merchant_id(&self) -> Option<&String> {
        self.originator
            .as_ref()
            .map(|originator| &originator.merchant.merchant_id)
    }
}

pub(super) fn set_absent<T: Clone>(field: &mut Option<T>, default: Option<&T>) {
    if field.is_none() {
        *field = default.cloned();
    }
}
