//! What a till prints for the customer, kept until the transaction is settled.

use serde::{Deserialize, Serialize};

use zeroize::Zeroizing;

use crate::model::{Sensitive, SlipData};
use crate::store::ENTRY_LIMIT_BYTES;

/// How much of a reference still shows once it is masked.
const SHOWN: usize = 4;

/// What an approval gives the till to print.
///
/// The queue keeps it for as long as the transaction is unsettled, so that a receipt can be printed
/// after a restart, and erases it then.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Receipt {
    /// With which the money is collected.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub order_redeem_ref: Option<Sensitive>,
    /// The other form of it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub order_redeem_ref_alt: Option<Sensitive>,
    /// The lines of the slip.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub slip_data: Option<SlipData>,
}

impl Receipt {
    pub(crate) fn with_redeem_ref(order_redeem_ref: Option<Sensitive>) -> Receipt {
        Receipt {
            order_redeem_ref,
            ..Receipt::default()
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Receipt::default()
    }

    /// Without the slip, where it is longer than anybody prints.
    pub(crate) fn within_limit(mut self) -> Receipt {
        let length = serde_json::to_vec(&self).map(|json| Zeroizing::new(json).len());
        if !length.is_ok_and(|length| length <= ENTRY_LIMIT_BYTES) {
            tracing::warn!("a slip is too long to be kept for a restart");
            self.slip_data = None;
        }
        self
    }

    /// The end of the redeem reference, as it may be shown and stored for ever.
    pub(crate) fn masked_redeem_ref(&self) -> Option<String> {
        let reference = self.order_redeem_ref.as_ref()?.expose();
        let length = reference.chars().count();
        // Of a short one even the end says too much.
        let shown = if length >= 4 * SHOWN { SHOWN } else { 0 };
        let end: String = reference.chars().skip(length - shown).collect();
        Some(format!("***{end}"))
    }
}

/// What the till calls the sale that a request belongs to. Not sent anywhere; stored with the
/// request, and found again by [`Client::find`](crate::Client::find).
///
/// ```
/// use money_transfer_retailer::TillReference;
///
/// let sale = TillReference::builder().receipt("R-4711").lane("3").build();
/// # let _ = sale;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, bon::Builder)]
#[builder(on(String, into))]
#[non_exhaustive]
pub struct TillReference {
    /// The number of the receipt.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub receipt: Option<String>,
    /// The basket, or the sale.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub basket: Option<String>,
    /// The lane, or the till.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lane: Option<String>,
    /// Who operates the till.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub operator: Option<String>,
}

/// The longest part of a till reference, in bytes.
const PART_LIMIT_BYTES: usize = 256;

impl TillReference {
    /// The part that is too long to be stored, if there is one.
    pub(crate) fn too_long(&self) -> Option<&'static str> {
        let parts = ["receipt", "basket", "lane", "operator"].into_iter();
        let mut parts = parts.zip(self.parts());
        let too_long =
            parts.find(|(_, part)| part.is_some_and(|part| part.len() > PART_LIMIT_BYTES));
        too_long.map(|(name, _)| name)
    }

    /// Whether every part that `wanted` names is the same here.
    pub(crate) fn matches(&self, wanted: &TillReference) -> bool {
        let mut pairs = self.parts().into_iter().zip(wanted.parts());
        pairs.all(|(part, wanted)| wanted.is_none() || part == wanted)
    }

    fn parts(&self) -> [Option<&str>; 4] {
        let parts = [&self.receipt, &self.basket, &self.lane, &self.operator];
        parts.map(|part| part.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_reference_shows_its_end_only_where_that_says_little() {
        let masked = |reference: &str| {
            let receipt = Receipt {
                order_redeem_ref: Some(reference.into()),
                ..Receipt::default()
            };
            receipt.masked_redeem_ref()
        };
        assert_eq!(masked("12345678901234567890").as_deref(), Some("***7890"));
        assert_eq!(masked("123456789").as_deref(), Some("***"));
        assert_eq!(masked("").as_deref(), Some("***"));
        assert_eq!(Receipt::default().masked_redeem_ref(), None);
    }

    #[test]
    fn a_reference_is_found_by_any_of_its_parts() {
        let sale = TillReference::builder().receipt("1").lane("3").build();
        let found = |wanted: TillReference| sale.matches(&wanted);
        assert!(found(TillReference::default()));
        assert!(found(TillReference::builder().receipt("1").build()));
        assert!(!found(TillReference::builder().receipt("2").build()));
        assert!(!found(
            TillReference::builder().lane("3").operator("x").build()
        ));
    }
}
