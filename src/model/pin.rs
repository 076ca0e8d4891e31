//! An encrypted PIN, as the PIN pad hands it out. Never written to disk.

use serde::{Deserialize, Serialize};

use super::absent;
use super::check::{Check, Rules, SIXTEEN_HEX_DIGITS, TWELVE_DIGITS};
use super::sensitive::Sensitive;
use super::wire_enum::wire_enum;

/// An encrypted PIN (`EncryptedPin` on the wire).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bon::Builder)]
#[serde(rename_all = "camelCase")]
#[builder(on(Sensitive, into))]
#[non_exhaustive]
pub struct EncryptedPin {
    /// `pinBlock`: 16 hexadecimal digits.
    #[serde(default, deserialize_with = "absent::or_default")]
    pub pin_block: Sensitive,
    /// `encryptionParameters`: how the block was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption_parameters: Option<EncryptionParameters>,
}

impl Check for EncryptedPin {
    fn inspect(&self, rules: &mut Rules) {
        rules.required_text("pinBlock", self.pin_block.expose(), &[SIXTEEN_HEX_DIGITS]);
        rules.optional_part("encryptionParameters", self.encryption_parameters.as_ref());
    }
}

/// How a PIN block was made (`EncryptionParameters` on the wire).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bon::Builder)]
#[serde(rename_all = "camelCase")]
#[builder(on(Sensitive, into))]
#[non_exhaustive]
pub struct EncryptionParameters {
    /// `pinBlockFormat`: absent means ISO 9564 format 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin_block_format: Option<PinBlockFormat>,
    /// `accountNumber`: 12 digits; of a card number the rightmost 12 without the check digit.
    #[serde(default, deserialize_with = "absent::or_default")]
    pub account_number: Sensitive,
    /// `keyIndex`: which key it was encrypted with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_index: Option<i32>,
}

impl Check for EncryptionParameters {
    fn inspect(&self, rules: &mut Rules) {
        rules.required_text(
            "accountNumber",
            self.account_number.expose(),
            &[TWELVE_DIGITS],
        );
    }
}

wire_enum! {
    /// The format of a PIN block (`PinBlockFormat` on the wire).
    pub enum PinBlockFormat {
        Iso9564Format0 = "ISO_9564_FORMAT_0",
        Iso9564Format1 = "ISO_9564_FORMAT_1",
        Iso9564Format3 = "ISO_9564_FORMAT_3",
    }
}
