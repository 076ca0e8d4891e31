//! The messages that a till sends: how each is sent, and what is told of its answer.

use money_transfer_retailer::model::{
    AdminMessage, CancelOrderRequest, CancelOrderResponse, CreateOrderRequest, CreateOrderResponse,
    CustomerInfoQuery, ExchangeRate, ExchangeRateQuery, FeeQuoteQuery, FeeQuoteRequest,
    FeeQuoteResponse, Fill, LookupOrderQuery, LookupOrderResponse, OrderHistoryQuery,
    OrderHistoryResponse, RedeemOrderRequest, RedeemOrderResponse, Sensitive,
    UpdateOrderPinRequest, UpdateOrderStatusRequest,
};
use money_transfer_retailer::{Approved, Client, Operation, RequestId};

use super::seen::Seen;

/// A message that is sent by the till itself: every operation but the advices.
pub(crate) trait Message: Fill + Clone {
    const OPERATION: Operation;
    type Answer: Answer;

    fn id(&self) -> Option<RequestId> {
        None
    }

    fn send(self, client: &Client) -> impl Future<Output = Seen<Self::Answer>>;
}

/// An answer, as far as something is told of it.
pub(crate) trait Answer {
    /// What matters of it, in a line.
    fn summary(&self) -> String;

    /// The references in it that money can be collected with.
    fn references(&self) -> Vec<&Sensitive> {
        Vec::new()
    }
}

/// The approval of a financial request.
pub(crate) trait Approval: Answer {
    /// What it approves.
    const REQUEST: Operation;
}

impl<R: Answer> Answer for Approved<R> {
    fn summary(&self) -> String {
        self.response().summary()
    }

    fn references(&self) -> Vec<&Sensitive> {
        self.response().references()
    }
}

/// One row for each message. A macro, because the twelve of them differ in types and names only, and a
/// function cannot be told of an associated type.
macro_rules! messages {
    ($($message:ident: $operation:ident by $method:ident $(, id $id:ident)? => $answer:ty, $of:ident;)+) => {
        $(impl Message for $message {
            const OPERATION: Operation = Operation::$operation;
            type Answer = $answer;

            $(fn id(&self) -> Option<RequestId> {
                Some(self.$id)
            })?

            async fn send(self, client: &Client) -> Seen<Self::Answer> {
                Seen::$of(client.$method(self).await)
            }
        })+
    };
}

messages! {
    CreateOrderRequest: CreateOrder by create_order, id id => Approved<CreateOrderResponse>, of_request;
    RedeemOrderRequest: RedeemOrder by redeem_order, id id => Approved<RedeemOrderResponse>, of_request;
    CancelOrderRequest: CancelOrder by cancel_order, id id => Approved<CancelOrderResponse>, of_request;
    UpdateOrderPinRequest: UpdateOrderPin by update_order_pin, id id => (), of_query;
    UpdateOrderStatusRequest: UpdateOrderStatus by update_order_status => (), of_query;
    LookupOrderQuery: LookupOrder by lookup_order => LookupOrderResponse, of_query;
    CustomerInfoQuery: GetCustomerInfo by customer_info => AdminMessage, of_query;
    AdminMessage: CreateOrUpdateCustomer by create_or_update_customer => AdminMessage, of_query;
    FeeQuoteQuery: GetFeeQuote by fee_quote => FeeQuoteResponse, of_query;
    FeeQuoteRequest: GetFeeQuoteByPost by fee_quote_by_post => FeeQuoteResponse, of_query;
    ExchangeRateQuery: GetExchangeRate by exchange_rate => ExchangeRate, of_query;
    OrderHistoryQuery: GetCustomerOrderHistory by order_history => OrderHistoryResponse, of_query;
}

impl Approval for CreateOrderResponse {
    const REQUEST: Operation = Operation::CreateOrder;
}

impl Approval for RedeemOrderResponse {
    const REQUEST: Operation = Operation::RedeemOrder;
}

impl Approval for CancelOrderResponse {
    const REQUEST: Operation = Operation::CancelOrder;
}

impl Answer for CreateOrderResponse {
    fn summary(&self) -> String {
        let reference = present("reference", self.order_redeem_ref.is_some());
        format!("approved {}, {reference}", self.amount)
    }

    fn references(&self) -> Vec<&Sensitive> {
        given([&self.order_redeem_ref, &self.order_redeem_ref_alt])
    }
}

impl Answer for RedeemOrderResponse {
    fn summary(&self) -> String {
        format!("approved {}", self.amount)
    }
}

impl Answer for CancelOrderResponse {
    fn summary(&self) -> String {
        format!("approved {}", self.amount)
    }

    fn references(&self) -> Vec<&Sensitive> {
        given([&self.order_redeem_ref, &self.order_redeem_ref_alt])
    }
}

impl Answer for LookupOrderResponse {
    fn summary(&self) -> String {
        let status = self
            .status
            .as_ref()
            .map_or("no status", |status| status.as_str());
        match &self.amount {
            Some(amount) => format!("{status}, {amount}"),
            None => format!("{status}, no amount"),
        }
    }

    fn references(&self) -> Vec<&Sensitive> {
        given([&self.order_redeem_ref, &self.order_redeem_ref_alt])
    }
}

impl Answer for AdminMessage {
    fn summary(&self) -> String {
        match &self.customer_profile_id {
            Some(profile_id) => profile_words(profile_id),
            None => "no customer profile id".to_owned(),
        }
    }
}

impl Answer for FeeQuoteResponse {
    fn summary(&self) -> String {
        match &self.fee_quote {
            Some(quote) => format!(
                "fee {}, transfer {}, total {}",
                quote.fee_amount, quote.transfer_amount, quote.total_amount
            ),
            None => "no feeQuote".to_owned(),
        }
    }
}

impl Answer for ExchangeRate {
    fn summary(&self) -> String {
        let (from, to) = (&self.from_currency, &self.to_currency);
        format!("one {from} is {} {to}", self.rate)
    }
}

impl Answer for OrderHistoryResponse {
    fn summary(&self) -> String {
        let orders = self.orders.iter().map(Answer::summary);
        match self.orders.len() {
            0 => "no orders".to_owned(),
            count => format!("{count} found: {}", orders.collect::<Vec<_>>().join("; ")),
        }
    }

    fn references(&self) -> Vec<&Sensitive> {
        self.orders.iter().flat_map(Answer::references).collect()
    }
}

impl Answer for () {
    fn summary(&self) -> String {
        "accepted".to_owned()
    }
}

/// How a profile is told, expected or seen.
pub(crate) fn profile_words(profile_id: &str) -> String {
    format!("customer profile id {profile_id}")
}

fn given(references: [&Option<Sensitive>; 2]) -> Vec<&Sensitive> {
    references.into_iter().flatten().collect()
}

fn present(what: &str, is_present: bool) -> String {
    match is_present {
        true => format!("with {what}"),
        false => format!("no {what}"),
    }
}
