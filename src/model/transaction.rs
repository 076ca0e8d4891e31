//! The fields that all seven transaction messages share (`Transaction` on the wire).

use super::check::{Rules, UUID_V4};
use super::defaults::Parties;
use super::originator::{Institution, Originator};
use super::slip::SlipData;
use super::third_party::ThirdPartyIdentifiers;
use super::timestamp::Timestamp;

/// Defines a message that starts with the fields of `Transaction`.
///
/// A macro, because the usual way (`#[serde(flatten)]`) buffers the message: paths in errors are lost, and with them the
/// way to read a message that has one broken part; and identifiers could no longer be kept verbatim.
macro_rules! transaction_message {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $(#[$id_meta:meta])*
            pub id: $id:ident,
            $($own:tt)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, bon::Builder)]
        #[serde(rename_all = "camelCase")]
        #[builder(on(String, into), on(Sensitive, into))]
        #[non_exhaustive]
        pub struct $name {
            $(#[$id_meta])*
            pub id: $id,
            /// `time`: when the message was made; required on the wire. The client sets it before sending.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub time: Option<super::Timestamp>,
            /// `originator`: shop, till and cashier; required on the wire, completed from the defaults.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub originator: Option<super::Originator>,
            /// `client`: who sends the message; required on the wire, completed from the defaults.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub client: Option<super::Institution>,
            /// `settlementEntity`: who settles with the retailer; completed from the defaults.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub settlement_entity: Option<super::Institution>,
            /// `receiver`: the provider the message is for; completed from the defaults.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub receiver: Option<super::Institution>,
            /// `thirdPartyIdentifiers`: how each party on the way calls the transaction; may be empty.
            #[serde(default)]
            #[builder(default, into)]
            pub third_party_identifiers: super::ThirdPartyIdentifiers,
            /// `slipData`: what to print for the customer.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub slip_data: Option<super::SlipData>,
            /// `basketRef`: ties together the transactions of one purchase.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub basket_ref: Option<String>,
            /// `tranType`: the kind of transaction.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub tran_type: Option<super::TransactionType>,
            /// `srcAccType`: the kind of account the money comes from.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub src_acc_type: Option<super::AccountType>,
            /// `destAccType`: the kind of account the money goes to.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub dest_acc_type: Option<super::AccountType>,
            /// `stan`: system trace audit number.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub stan: Option<String>,
            /// `rrn`: retrieval reference number, set by the original source.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub rrn: Option<String>,
            $($own)*
        }

        impl super::transaction::TransactionMessage for $name {
            fn header(&self) -> super::transaction::Header<'_> {
                super::transaction::Header {
                    id: self.id.to_string(),
                    time: self.time.as_ref(),
                    originator: self.originator.as_ref(),
                    client: self.client.as_ref(),
                    settlement_entity: self.settlement_entity.as_ref(),
                    receiver: self.receiver.as_ref(),
                    third_party_identifiers: &self.third_party_identifiers,
                    slip_data: self.slip_data.as_ref(),
                }
            }

            fn parties(&mut self) -> super::defaults::Parties<'_> {
                super::defaults::Parties {
                    originator: &mut self.originator,
                    client: &mut self.client,
                    settlement_entity: &mut self.settlement_entity,
                    receiver: &mut self.receiver,
                }
            }

            fn message_id(&self) -> String {
                self.id.to_string()
            }

            fn stamp(&mut self, now: super::Timestamp) -> super::Timestamp {
                *self.time.get_or_insert(now)
            }
        }
    };
}

pub(super) use transaction_message;

/// What the seven messages have in common, as far as something is done with it.
pub(crate) trait TransactionMessage {
    /// The shared fields that have rules.
    fn header(&self) -> Header<'_>;

    /// The shared fields that have defaults.
    fn parties(&mut self) -> Parties<'_>;

    /// The id of the message, as it is written.
    fn message_id(&self) -> String;

    /// Sets the time of the message, unless it is set, and returns it.
    fn stamp(&mut self, now: Timestamp) -> Timestamp;
}

/// The shared fields that have rules.
pub(crate) struct Header<'a> {
    pub(super) id: String,
    pub(super) time: Option<&'a Timestamp>,
    pub(super) originator: Option<&'a Originator>,
    pub(super) client: Option<&'a Institution>,
    pub(super) settlement_entity: Option<&'a Institution>,
    pub(crate) receiver: Option<&'a Institution>,
    pub(crate) third_party_identifiers: &'a ThirdPartyIdentifiers,
    pub(crate) slip_data: Option<&'a SlipData>,
}

impl Header<'_> {
    pub(super) fn inspect(&self, rules: &mut Rules) {
        rules.optional_text("id", Some(&self.id), &[UUID_V4]);
        rules.required("time", self.time.is_some());
        rules.required_part("originator", self.originator);
        rules.required_part("client", self.client);
        rules.optional_part("settlementEntity", self.settlement_entity);
        rules.optional_part("receiver", self.receiver);
        rules.elements(
            "thirdPartyIdentifiers",
            &self.third_party_identifiers.entries(),
        );
        rules.optional_part("slipData", self.slip_data);
    }
}
