//! The queries and updates, one method each.

use tokio::time::Instant;

use super::query::{Answered, Content, Query};
use super::{Client, QueryError};
use crate::model::{
    AdminMessage, CustomerInfoQuery, ErrorType, ExchangeRate, ExchangeRateQuery, FeeQuoteQuery,
    FeeQuoteRequest, FeeQuoteResponse, LookupOrderQuery, LookupOrderResponse, Operation,
    OrderHistoryQuery, OrderHistoryResponse, PersonalDetails, RequestId, Sensitive,
    UpdateOrderPinRequest, UpdateOrderStatusRequest,
};

/// # Queries and updates
///
/// Sent again with growing pauses while the outcome is unknown, until a final answer or until the
/// [deadline](Client::with_deadline). An upstream that asks for a pause (`Retry-After`) gets it; where
/// the deadline comes first, the query ends at once, and the error says how long was asked. Nothing of them is stored; dropping the future stops them.
/// All of them fail as [`QueryError`] says.
impl Client {
    /// Looks an order up. Wire name: `lookupOrder`.
    ///
    /// # Errors
    /// [`QueryError::Failed`] with `UNABLE_TO_LOCATE_RECORD` where the upstream knows no such order.
    pub async fn lookup_order(
        &self,
        query: LookupOrderQuery,
    ) -> Result<LookupOrderResponse, QueryError> {
        self.ask(query).await
    }

    /// Tells the receiver that an order's state has changed. Wire name: `updateOrderStatus`.
    ///
    /// # Errors
    /// [`QueryError`]; [`QueryError::NotSupported`] by servers of an earlier version.
    pub async fn update_order_status(
        &self,
        update: UpdateOrderStatusRequest,
    ) -> Result<(), QueryError> {
        self.ask(update).await
    }

    /// Sets a new PIN for an order. The request gets the time of sending where it has none.
    /// Wire name: `updateOrderPin`.
    ///
    /// # Errors
    /// [`QueryError`]; [`QueryError::NotSupported`] by servers of an earlier version.
    pub async fn update_order_pin(
        &self,
        mut update: UpdateOrderPinRequest,
    ) -> Result<(), QueryError> {
        let now = self.core.clock.now();
        update.time.get_or_insert(now);
        self.ask(update).await
    }

    /// Asks what is known of a customer. Wire name: `getCustomerInfo`.
    ///
    /// # Errors
    /// [`QueryError::Failed`] with `UNABLE_TO_LOCATE_RECORD` where the customer is unknown.
    pub async fn customer_info(
        &self,
        query: CustomerInfoQuery,
    ) -> Result<AdminMessage, QueryError> {
        self.ask(query).await
    }

    /// Registers a customer, or changes the record of one. Wire name: `createOrUpdateCustomer`.
    ///
    /// A repeat of a registration whose first answer was lost is refused with
    /// `CUSTOMER_CHECK_FAILED`, as the customer exists by then. Before such a failure is reported, the
    /// customer is therefore looked up, within the same deadline. What is found counts as the answer
    /// if it names the person who was to be registered: what was sent of the identity document, the names
    /// and the birth date. The provider may add to the rest, or write it its own way.
    ///
    /// # Errors
    /// [`QueryError::Failed`] with `CUSTOMER_CHECK_FAILED` where the identity number belongs to
    /// another customer profile.
    pub async fn create_or_update_customer(
        &self,
        message: AdminMessage,
    ) -> Result<AdminMessage, QueryError> {
        let began_at = Instant::now();
        let registration = Registration::of(&message);
        let Answered {
            result,
            possibly_repeated,
        } = self.ask_noting_repeats(message).await;
        match (result, registration) {
            (Err(error), Some(registration)) if possibly_repeated && is_customer_check(&error) => {
                let time_left = self.deadline.saturating_sub(began_at.elapsed());
                let in_time = self.with_deadline(time_left);
                let found = in_time.customer_info(registration.query).await;
                let is_it = |found: &AdminMessage| {
                    let details = found.customer_details.as_ref();
                    details.is_some_and(|details| is_same_person(&registration.details, details))
                };
                found.ok().filter(is_it).ok_or(error)
            }
            (result, _) => result,
        }
    }

    /// Asks for the fee on an amount. Wire name: `getFeeQuote`.
    ///
    /// # Errors
    /// [`QueryError::Failed`], for example with `INVALID_AMOUNT`.
    pub async fn fee_quote(&self, query: FeeQuoteQuery) -> Result<FeeQuoteResponse, QueryError> {
        self.ask(query).await
    }

    /// Asks for the fee on an amount, with personal details. Wire name: `getFeeQuote` by POST.
    ///
    /// # Errors
    /// [`QueryError`]; [`QueryError::NotSupported`] by servers of an earlier version.
    pub async fn fee_quote_by_post(
        &self,
        request: FeeQuoteRequest,
    ) -> Result<FeeQuoteResponse, QueryError> {
        self.ask(request).await
    }

    /// Asks for the rate between two currencies. Wire name: `getExchangeRate`.
    ///
    /// # Errors
    /// [`QueryError`]; [`QueryError::NotSupported`] by servers of an earlier version.
    pub async fn exchange_rate(
        &self,
        query: ExchangeRateQuery,
    ) -> Result<ExchangeRate, QueryError> {
        self.ask(query).await
    }

    /// Asks for the orders of a customer. Wire name: `getCustomerOrderHistory`.
    ///
    /// # Errors
    /// [`QueryError`]; [`QueryError::NotSupported`] by servers of an earlier version.
    pub async fn order_history(
        &self,
        query: OrderHistoryQuery,
    ) -> Result<OrderHistoryResponse, QueryError> {
        self.ask(query).await
    }
}

fn is_customer_check(error: &QueryError) -> bool {
    match error {
        QueryError::Failed { failure, .. } => {
            failure.error_type() == Some(&ErrorType::CustomerCheckFailed)
        }
        _ => false,
    }
}

/// Whether the record says what was sent of the members that tell one person from another.
fn is_same_person(sent: &PersonalDetails, found: &PersonalDetails) -> bool {
    let texts = [
        (&sent.id_number, &found.id_number),
        (&sent.first_name, &found.first_name),
        (&sent.last_name, &found.last_name),
        (&sent.date_of_birth, &found.date_of_birth),
    ];
    let is_kept = |(sent, found): (&Option<Sensitive>, &Option<Sensitive>)| match (sent, found) {
        (None, _) => true,
        (Some(sent), Some(found)) => {
            let (sent, found) = (sent.expose().trim(), found.expose().trim());
            sent.to_lowercase() == found.to_lowercase()
        }
        (Some(_), None) => false,
    };
    texts.into_iter().all(is_kept)
        && (sent.id_type.is_none() || sent.id_type == found.id_type)
        && (sent.id_country_code.is_none() || sent.id_country_code == found.id_country_code)
}

/// A customer who is to be registered, with the query that would find the record.
struct Registration {
    details: PersonalDetails,
    query: CustomerInfoQuery,
}

impl Registration {
    /// `None` where `message` changes a record, or names no identity number.
    fn of(message: &AdminMessage) -> Option<Registration> {
        if message.customer_profile_id.is_some() {
            return None;
        }
        let details = message.customer_details.clone()?;
        let query = customer_of(message, &details)?;
        Some(Registration { details, query })
    }
}

/// The query names the same retailer and provider as the message: a customer is known to them only.
fn customer_of(message: &AdminMessage, details: &PersonalDetails) -> Option<CustomerInfoQuery> {
    let originator = message.originator.as_ref();
    let merchant_id = originator.map(|from| from.merchant.merchant_id.clone());
    let institution_id = originator.map(|from| from.institution.id.clone());
    let receiver_id = message.receiver.as_ref().map(|to| to.id.clone());
    let query = CustomerInfoQuery::builder()
        .id_number(details.id_number.clone()?)
        .maybe_id_type(details.id_type.clone())
        .maybe_id_country_code(details.id_country_code.clone())
        .maybe_merchant_id(merchant_id)
        .maybe_originator_inst_id(institution_id)
        .maybe_receiver_id(receiver_id);
    Some(query.build())
}

impl Query for LookupOrderQuery {
    const OPERATION: Operation = Operation::LookupOrder;
    type Answer = LookupOrderResponse;

    fn content(&self) -> Result<Content, serde_json::Error> {
        Ok(Content::Parameters(self.to_query_pairs()))
    }
}

impl Query for CustomerInfoQuery {
    const OPERATION: Operation = Operation::GetCustomerInfo;
    type Answer = AdminMessage;

    fn content(&self) -> Result<Content, serde_json::Error> {
        Ok(Content::Parameters(self.to_query_pairs()))
    }
}

impl Query for FeeQuoteQuery {
    const OPERATION: Operation = Operation::GetFeeQuote;
    type Answer = FeeQuoteResponse;

    fn content(&self) -> Result<Content, serde_json::Error> {
        Ok(Content::Parameters(self.to_query_pairs()))
    }
}

impl Query for ExchangeRateQuery {
    const OPERATION: Operation = Operation::GetExchangeRate;
    type Answer = ExchangeRate;

    fn content(&self) -> Result<Content, serde_json::Error> {
        Ok(Content::Parameters(self.to_query_pairs()))
    }
}

impl Query for OrderHistoryQuery {
    const OPERATION: Operation = Operation::GetCustomerOrderHistory;
    type Answer = OrderHistoryResponse;

    fn content(&self) -> Result<Content, serde_json::Error> {
        Ok(Content::Parameters(self.to_query_pairs()))
    }
}

impl Query for FeeQuoteRequest {
    const OPERATION: Operation = Operation::GetFeeQuoteByPost;
    type Answer = FeeQuoteResponse;

    fn content(&self) -> Result<Content, serde_json::Error> {
        Content::body(self)
    }
}

impl Query for AdminMessage {
    const OPERATION: Operation = Operation::CreateOrUpdateCustomer;
    type Answer = AdminMessage;

    fn content(&self) -> Result<Content, serde_json::Error> {
        Content::body(self)
    }
}

impl Query for UpdateOrderStatusRequest {
    const OPERATION: Operation = Operation::UpdateOrderStatus;
    type Answer = ();

    fn content(&self) -> Result<Content, serde_json::Error> {
        Content::body(self)
    }
}

impl Query for UpdateOrderPinRequest {
    const OPERATION: Operation = Operation::UpdateOrderPin;
    type Answer = ();

    fn request_id(&self) -> Option<RequestId> {
        Some(self.id)
    }

    fn content(&self) -> Result<Content, serde_json::Error> {
        Content::body(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::tests::defaults;
    use crate::model::Institution;

    /// With the defaults of the client, a record would be looked for that another shop has.
    #[test]
    fn a_registration_is_looked_for_where_its_message_put_it() {
        let mut originator = defaults().originator.unwrap();
        originator.merchant.merchant_id = "ANOTHER SHOP 01".to_owned();
        originator.institution.id = "588893".to_owned();
        let details = PersonalDetails::builder().id_number("7001015009087");
        let message = AdminMessage::builder()
            .originator(originator)
            .receiver(Institution::new("627822", "Another provider"))
            .customer_details(details.build())
            .build();
        let query = Registration::of(&message).unwrap().query;
        assert_eq!(query.merchant_id.as_deref(), Some("ANOTHER SHOP 01"));
        assert_eq!(query.originator_inst_id.as_deref(), Some("588893"));
        assert_eq!(query.receiver_id.as_deref(), Some("627822"));
    }
}
