//! What is printed for the customer.

use serde::{Deserialize, Serialize};

use super::absent;
use super::check::{Check, ISSUER_REFERENCE, Rules};
use super::sensitive::Sensitive;
use super::whole;

/// What to print for the customer (`SlipData` on the wire).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, bon::Builder)]
#[serde(rename_all = "camelCase")]
#[builder(on(Sensitive, into))]
#[non_exhaustive]
pub struct SlipData {
    /// `messageLines`: the lines, top to bottom.
    #[serde(
        default,
        deserialize_with = "absent::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[builder(default)]
    pub message_lines: Vec<SlipLine>,
    /// `slipWidth`: characters per line that the lines were made for.
    #[serde(
        default,
        deserialize_with = "whole::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub slip_width: Option<i32>,
    /// `issuerReference`: 1 to 40 capital letters and digits. Masked, as an issuer may print the redeem reference here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer_reference: Option<Sensitive>,
}

impl Check for SlipData {
    fn inspect(&self, rules: &mut Rules) {
        rules.elements("messageLines", &self.message_lines);
        rules.optional_secret(
            "issuerReference",
            self.issuer_reference.as_ref(),
            &[ISSUER_REFERENCE],
        );
    }
}

/// One line of a slip (`SlipLine` on the wire). Its text is masked: it may quote the redeem reference.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, bon::Builder)]
#[serde(rename_all = "camelCase")]
#[builder(on(Sensitive, into))]
#[non_exhaustive]
pub struct SlipLine {
    /// `barcode`: printed with the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub barcode: Option<Barcode>,
    /// `text`: required, may be empty (an empty line).
    #[serde(default, deserialize_with = "absent::or_default")]
    pub text: Sensitive,
    /// `fontWidthScaleFactor`: absent means 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub font_width_scale_factor: Option<f64>,
    /// `fontHeightScaleFactor`: absent means 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub font_height_scale_factor: Option<f64>,
    /// `line`: print a solid line; absent means no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<bool>,
    /// `cut`: cut the paper here; absent means no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<bool>,
}

impl Check for SlipLine {
    fn inspect(&self, rules: &mut Rules) {
        rules.optional_part("barcode", self.barcode.as_ref());
        rules.finite("fontWidthScaleFactor", self.font_width_scale_factor);
        rules.finite("fontHeightScaleFactor", self.font_height_scale_factor);
    }
}

/// A barcode on a slip (`Barcode` on the wire). Its data is masked: it may hold the redeem reference.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, bon::Builder)]
#[builder(on(String, into), on(Sensitive, into))]
#[non_exhaustive]
pub struct Barcode {
    /// `data`: required.
    #[serde(default, deserialize_with = "absent::or_default")]
    pub data: Sensitive,
    /// `encoding`: the symbology; required.
    #[serde(default, deserialize_with = "absent::or_default")]
    pub encoding: String,
}

impl Check for Barcode {
    fn inspect(&self, rules: &mut Rules) {
        rules.required_text("data", self.data.expose(), &[]);
        rules.required_text("encoding", &self.encoding, &[]);
    }
}
