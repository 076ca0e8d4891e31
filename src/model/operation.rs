//! The table of operations: what each is called, where it lives and what kind of message it is.

use std::fmt;
use std::str::FromStr;

use ::http::Method;
use serde::{Deserialize, Serialize};

/// An operation of the interface.
///
/// Written and read as its name on the wire, for example `createOrder`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Operation {
    /// `createOrder`: sell a money transfer.
    CreateOrder,
    /// `redeemOrder`: pay a money transfer out.
    RedeemOrder,
    /// `cancelOrder`: cancel an order that has not been redeemed.
    CancelOrder,
    /// `confirmPayment`: the customer paid for a created order.
    ConfirmPayment,
    /// `reversePayment`: a created order must not stand.
    ReversePayment,
    /// `confirmRedeem`: the recipient was paid.
    ConfirmRedeem,
    /// `reverseRedeem`: a redemption must not stand.
    ReverseRedeem,
    /// `cancelOrderReversal`: a cancellation must not stand.
    CancelOrderReversal,
    /// `lookupOrder`: the state of an order.
    LookupOrder,
    /// `updateOrderStatus`: tell the receiver that an order's state changed.
    UpdateOrderStatus,
    /// `updateOrderPin`: set a new PIN for an order.
    UpdateOrderPin,
    /// `getCustomerInfo`: what is known of a customer.
    GetCustomerInfo,
    /// `createOrUpdateCustomer`: register a customer or change the record.
    CreateOrUpdateCustomer,
    /// `getFeeQuote`: the fee for an amount.
    GetFeeQuote,
    /// `getFeeQuote` by body (`getFeeQuoteByPost`): the fee for an amount, with personal details.
    GetFeeQuoteByPost,
    /// `getExchangeRate`: the rate between two currencies.
    GetExchangeRate,
    /// `getCustomerOrderHistory`: the orders of a customer.
    GetCustomerOrderHistory,
}

/// What kind of message an operation is, which decides how it is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A financial request: sent once, then confirmed or reversed.
    Request,
    /// An advice: stored, then sent until a final answer.
    Advice,
    /// A query: sent again until a final answer or the caller's deadline.
    Query,
    /// An update: sent again until a final answer or the caller's deadline.
    Update,
}

/// A row of the table.
struct Row {
    name: &'static str,
    method: Method,
    path: &'static str,
    kind: Kind,
    success: &'static [u16],
    confirmed_by: Option<Operation>,
    reversed_by: Option<Operation>,
}

impl Operation {
    /// Every operation, in the order of the interface's own guide.
    pub const ALL: [Operation; 17] = [
        Operation::CreateOrder,
        Operation::RedeemOrder,
        Operation::CancelOrder,
        Operation::ConfirmPayment,
        Operation::ReversePayment,
        Operation::ConfirmRedeem,
        Operation::ReverseRedeem,
        Operation::CancelOrderReversal,
        Operation::LookupOrder,
        Operation::UpdateOrderStatus,
        Operation::UpdateOrderPin,
        Operation::GetCustomerInfo,
        Operation::CreateOrUpdateCustomer,
        Operation::GetFeeQuote,
        Operation::GetFeeQuoteByPost,
        Operation::GetExchangeRate,
        Operation::GetCustomerOrderHistory,
    ];

    /// The `operationId` of the interface definition.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The HTTP method.
    pub fn method(self) -> Method {
        self.row().method
    }

    /// The path below the base URL, with a leading slash.
    pub fn path(self) -> &'static str {
        self.row().path
    }

    /// What kind of message it is.
    pub fn kind(self) -> Kind {
        self.row().kind
    }

    /// The HTTP statuses that the interface documents as success.
    pub fn success(self) -> &'static [u16] {
        self.row().success
    }

    /// The advice that confirms this financial request, where there is one.
    pub fn confirmed_by(self) -> Option<Operation> {
        self.row().confirmed_by
    }

    /// The advice that reverses this financial request; `None` for every other kind of message.
    pub fn reversed_by(self) -> Option<Operation> {
        self.row().reversed_by
    }

    /// Whether this confirms a financial request.
    pub fn is_confirmation(self) -> bool {
        let confirms = |request: &Operation| request.confirmed_by() == Some(self);
        Operation::ALL.iter().any(confirms)
    }

    /// Whether this reverses a financial request.
    pub fn is_reversal(self) -> bool {
        let reverses = |request: &Operation| request.reversed_by() == Some(self);
        Operation::ALL.iter().any(reverses)
    }

    fn row(self) -> Row {
        use Operation as O;
        match self {
            O::CreateOrder => request("createOrder", "/orders", &[201])
                .settled_by(Some(O::ConfirmPayment), O::ReversePayment),
            O::RedeemOrder => request("redeemOrder", "/orders/redemptions", &[201])
                .settled_by(Some(O::ConfirmRedeem), O::ReverseRedeem),
            O::CancelOrder => request("cancelOrder", "/orders/cancel", &[200])
                .settled_by(None, O::CancelOrderReversal),
            O::ConfirmPayment => advice("confirmPayment", "/orders/confirmations", &[202]),
            O::ReversePayment => advice("reversePayment", "/orders/reversals", &[202]),
            O::ConfirmRedeem => {
                advice("confirmRedeem", "/orders/redemptions/confirmations", &[202])
            }
            O::ReverseRedeem => advice("reverseRedeem", "/orders/redemptions/reversals", &[202]),
            O::CancelOrderReversal => advice(
                "cancelOrderReversal",
                "/orders/cancel/reversals",
                &[202, 200],
            ),
            O::LookupOrder => query("lookupOrder", Method::GET, "/orders"),
            O::UpdateOrderStatus => {
                update("updateOrderStatus", Method::PUT, "/orders/status", &[204])
            }
            O::UpdateOrderPin => update("updateOrderPin", Method::PUT, "/orders/pin", &[204]),
            O::GetCustomerInfo => query("getCustomerInfo", Method::GET, "/admin/customers"),
            O::CreateOrUpdateCustomer => update(
                "createOrUpdateCustomer",
                Method::POST,
                "/admin/customers",
                &[201],
            ),
            O::GetFeeQuote => query("getFeeQuote", Method::GET, "/admin/fees"),
            O::GetFeeQuoteByPost => query("getFeeQuoteByPost", Method::POST, "/admin/fees"),
            O::GetExchangeRate => query("getExchangeRate", Method::GET, "/admin/exchangerate"),
            O::GetCustomerOrderHistory => query(
                "getCustomerOrderHistory",
                Method::GET,
                "/admin/customers/orders",
            ),
        }
    }
}

impl Row {
    fn settled_by(self, confirmed_by: Option<Operation>, reversed_by: Operation) -> Row {
        Row {
            confirmed_by,
            reversed_by: Some(reversed_by),
            ..self
        }
    }
}

fn request(name: &'static str, path: &'static str, success: &'static [u16]) -> Row {
    row(name, Method::POST, path, Kind::Request, success)
}

fn advice(name: &'static str, path: &'static str, success: &'static [u16]) -> Row {
    row(name, Method::POST, path, Kind::Advice, success)
}

fn query(name: &'static str, method: Method, path: &'static str) -> Row {
    row(name, method, path, Kind::Query, &[200])
}

fn update(name: &'static str, method: Method, path: &'static str, success: &'static [u16]) -> Row {
    row(name, method, path, Kind::Update, success)
}

fn row(
    name: &'static str,
    method: Method,
    path: &'static str,
    kind: Kind,
    success: &'static [u16],
) -> Row {
    Row {
        name,
        method,
        path,
        kind,
        success,
        confirmed_by: None,
        reversed_by: None,
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The text names no operation of the interface.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no operation, such as createOrder or create-order")]
#[non_exhaustive]
pub struct ParseOperationError {
    /// The text.
    pub text: String,
}

impl FromStr for Operation {
    type Err = ParseOperationError;

    /// Reads a name as on the wire (`createOrder`) or as on a command line (`create-order`).
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = text.replace('-', "");
        let named = |operation: &Operation| operation.name().eq_ignore_ascii_case(&plain);
        let found = Operation::ALL.into_iter().find(named);
        found.ok_or_else(|| ParseOperationError {
            text: text.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_can_be_reversed_and_nothing_else_can() {
        for operation in Operation::ALL {
            assert_eq!(
                operation.reversed_by().is_some(),
                operation.kind() == Kind::Request,
                "{operation}"
            );
        }
    }

    #[test]
    fn what_settles_a_request_is_an_advice() {
        for operation in Operation::ALL {
            let advices = [operation.confirmed_by(), operation.reversed_by()];
            for advice in advices.into_iter().flatten() {
                assert_eq!(advice.kind(), Kind::Advice, "{operation}");
            }
        }
    }

    #[test]
    fn a_name_is_read_as_on_the_wire_and_as_on_a_command_line() {
        for operation in Operation::ALL {
            assert_eq!(operation.name().parse(), Ok(operation));
        }
        assert_eq!("create-order".parse(), Ok(Operation::CreateOrder));
        assert!("sell".parse::<Operation>().is_err());
    }

    #[test]
    fn confirmations_and_reversals_are_told_apart() {
        assert!(Operation::ConfirmRedeem.is_confirmation());
        assert!(Operation::CancelOrderReversal.is_reversal());
        assert!(!Operation::ConfirmRedeem.is_reversal());
        assert!(!Operation::CreateOrder.is_confirmation());
    }

    #[test]
    fn the_stored_name_is_the_name_on_the_wire() {
        for operation in Operation::ALL {
            let stored = serde_json::to_value(operation).ok();
            assert_eq!(stored, Some(operation.name().into()));
        }
    }
}
