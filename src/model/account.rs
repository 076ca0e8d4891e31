//! Accounts that money comes from or goes to.

use serde::{Deserialize, Serialize};

use super::absent;
use super::check::{Check, Rules};
use super::sensitive::Sensitive;
use super::wire_enum::wire_enum;

/// An account (`Account` and, told apart by `type`, its six subtypes on the wire).
///
/// One type for all, because the subtypes differ only in one optional code each:
///
/// | `type` | on the wire | own field |
/// |---|---|---|
/// | [`AccountKind::Account`], [`AccountKind::CashPickup`] | `Account` | |
/// | [`AccountKind::Bank`] | `BankAccount` | `routing_code`, `region` |
/// | [`AccountKind::Iban`] | `IbanAccount` | |
/// | [`AccountKind::Ifsc`] | `IfscAccount` | `ifsc_code` |
/// | [`AccountKind::MobileWallet`] | `MobileWalletAccount` | |
/// | [`AccountKind::Swift`] | `SwiftAccount` | `swift_code` |
///
/// A code that is not the type's own is sent as it is: the interface demands no code of any type and refuses none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bon::Builder)]
#[serde(rename_all = "camelCase")]
#[builder(on(String, into), on(Sensitive, into))]
#[non_exhaustive]
pub struct Account {
    /// `accountId`: the account number, IBAN or wallet number; required.
    #[serde(default, deserialize_with = "absent::or_default")]
    pub account_id: Sensitive,
    /// `type`: how the account is addressed; required. `None` only where an answer lacks it.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[builder(required, with = Some)]
    pub kind: Option<AccountKind>,
    /// `routingCode`: the bank's branch or routing code; `BANK` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routing_code: Option<String>,
    /// `region`: where the routing code is valid; `BANK` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// `ifscCode`: the branch in India; `IFSC` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ifsc_code: Option<String>,
    /// `swiftCode`: the bank's SWIFT code; `SWIFT` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swift_code: Option<String>,
}

impl Check for Account {
    fn inspect(&self, rules: &mut Rules) {
        rules.required_text("accountId", self.account_id.expose(), &[]);
        let kind = self.kind.as_ref().map_or("", AccountKind::as_str);
        rules.required_text("type", kind, &[]);
    }
}

wire_enum! {
    /// How an account is addressed (`Account_AccountType` on the wire).
    pub enum AccountKind {
        Account = "ACCOUNT",
        Bank = "BANK",
        Iban = "IBAN",
        Swift = "SWIFT",
        Ifsc = "IFSC",
        MobileWallet = "MOBILE_WALLET",
        CashPickup = "CASH_PICKUP",
    }
}
