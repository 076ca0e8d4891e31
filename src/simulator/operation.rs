//! The operations of the interface as the simulator serves them: one table of names, methods and paths.

use std::{fmt, str::FromStr};

use http::Method;

/// One operation of the interface.
///
/// # Example
/// ```
/// use money_transfer_retailer::simulator::Operation;
///
/// assert_eq!(Operation::CreateOrder.path(), "/orders");
/// assert_eq!("create-order".parse(), Ok(Operation::CreateOrder));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Operation {
    /// `POST /orders`
    CreateOrder,
    /// `POST /orders/redemptions`
    RedeemOrder,
    /// `POST /orders/cancel`
    CancelOrder,
    /// `POST /orders/confirmations`
    ConfirmPayment,
    /// `POST /orders/reversals`
    ReversePayment,
    /// `POST /orders/redemptions/confirmations`
    ConfirmRedeem,
    /// `POST /orders/redemptions/reversals`
    ReverseRedeem,
    /// `POST /orders/cancel/reversals`
    CancelOrderReversal,
    /// `GET /orders`
    LookupOrder,
    /// `PUT /orders/status`
    UpdateOrderStatus,
    /// `PUT /orders/pin`
    UpdateOrderPin,
    /// `GET /admin/customers`
    GetCustomerInfo,
    /// `POST /admin/customers`
    CreateOrUpdateCustomer,
    /// `GET /admin/fees`
    GetFeeQuote,
    /// `POST /admin/fees`
    GetFeeQuoteByPost,
    /// `GET /admin/exchangerate`
    GetExchangeRate,
    /// `GET /admin/customers/orders`
    GetCustomerOrderHistory,
}

/// What a row of the table says of an operation: its name in flags and log lines, its method, its path.
type Row = (Operation, &'static str, Method, &'static str);

const TABLE: [Row; 17] = [
    (
        Operation::CreateOrder,
        "create-order",
        Method::POST,
        "/orders",
    ),
    (
        Operation::RedeemOrder,
        "redeem-order",
        Method::POST,
        "/orders/redemptions",
    ),
    (
        Operation::CancelOrder,
        "cancel-order",
        Method::POST,
        "/orders/cancel",
    ),
    (
        Operation::ConfirmPayment,
        "confirm-payment",
        Method::POST,
        "/orders/confirmations",
    ),
    (
        Operation::ReversePayment,
        "reverse-payment",
        Method::POST,
        "/orders/reversals",
    ),
    (
        Operation::ConfirmRedeem,
        "confirm-redeem",
        Method::POST,
        "/orders/redemptions/confirmations",
    ),
    (
        Operation::ReverseRedeem,
        "reverse-redeem",
        Method::POST,
        "/orders/redemptions/reversals",
    ),
    (
        Operation::CancelOrderReversal,
        "cancel-order-reversal",
        Method::POST,
        "/orders/cancel/reversals",
    ),
    (
        Operation::LookupOrder,
        "lookup-order",
        Method::GET,
        "/orders",
    ),
    (
        Operation::UpdateOrderStatus,
        "update-order-status",
        Method::PUT,
        "/orders/status",
    ),
    (
        Operation::UpdateOrderPin,
        "update-order-pin",
        Method::PUT,
        "/orders/pin",
    ),
    (
        Operation::GetCustomerInfo,
        "get-customer-info",
        Method::GET,
        "/admin/customers",
    ),
    (
        Operation::CreateOrUpdateCustomer,
        "create-or-update-customer",
        Method::POST,
        "/admin/customers",
    ),
    (
        Operation::GetFeeQuote,
        "get-fee-quote",
        Method::GET,
        "/admin/fees",
    ),
    (
        Operation::GetFeeQuoteByPost,
        "get-fee-quote-by-post",
        Method::POST,
        "/admin/fees",
    ),
    (
        Operation::GetExchangeRate,
        "get-exchange-rate",
        Method::GET,
        "/admin/exchangerate",
    ),
    (
        Operation::GetCustomerOrderHistory,
        "get-customer-order-history",
        Method::GET,
        "/admin/customers/orders",
    ),
];

impl Operation {
    /// Every operation, in the order of the interface's table.
    pub fn all() -> impl Iterator<Item = Operation> {
        TABLE.iter().map(|row| row.0)
    }

    /// The name in flags and printed lines, such as `create-order`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// The HTTP method.
    #[must_use]
    pub fn method(self) -> Method {
        self.row().2.clone()
    }

    /// The path below the base path, such as `/orders/confirmations`.
    #[must_use]
    pub fn path(self) -> &'static str {
        self.row().3
    }

    /// Whether this is a confirmation or a reversal of an earlier request.
    #[must_use]
    pub fn is_advice(self) -> bool {
        self.is_confirmation() || self.is_reversal()
    }

    /// Whether this confirms an earlier request.
    #[must_use]
    pub fn is_confirmation(self) -> bool {
        matches!(self, Operation::ConfirmPayment | Operation::ConfirmRedeem)
    }

    /// Whether this reverses an earlier request.
    #[must_use]
    pub fn is_reversal(self) -> bool {
        matches!(
            self,
            Operation::ReversePayment | Operation::ReverseRedeem | Operation::CancelOrderReversal
        )
    }

    /// Whether this is a financial request: one that an advice can follow.
    #[must_use]
    pub fn is_financial_request(self) -> bool {
        matches!(
            self,
            Operation::CreateOrder | Operation::RedeemOrder | Operation::CancelOrder
        )
    }

    /// The operations at a path below the base path (one for each method).
    pub(super) fn at(path: &str) -> Vec<Operation> {
        TABLE
            .iter()
            .filter(|row| row.3 == path)
            .map(|row| row.0)
            .collect()
    }

    /// The variants stand in the table's order, so that the discriminant is the row.
    fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The text names no operation of the interface.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no operation; one of: {names}", names = names())]
pub struct UnknownOperation(pub String);

fn names() -> String {
    TABLE.map(|row| row.1).join(", ")
}

impl FromStr for Operation {
    type Err = UnknownOperation;

    /// Reads an operation's [`name`](Operation::name).
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let row = TABLE.iter().find(|row| row.1 == text);
        row.map(|row| row.0)
            .ok_or_else(|| UnknownOperation(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_stands_at_its_operations_place() {
        for (place, operation) in Operation::all().enumerate() {
            assert_eq!(operation as usize, place);
            assert_eq!(operation.name().parse(), Ok(operation));
        }
    }
}
