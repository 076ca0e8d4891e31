//! Every message of every operation, full of secrets.

use money_transfer_retailer::Client;
use money_transfer_retailer::model::{
    Account, AccountKind, Address, AdminMessage, CancelOrderRequest, CreateOrderRequest, Currency,
    CustomerInfoQuery, EncryptedPin, EncryptionParameters, ExchangeRateQuery, FeeQuoteQuery,
    FeeQuoteRequest, LookupOrderQuery, Money, OrderHistoryQuery, OrderStatus, PersonalDetails,
    RedeemOrderRequest, Sensitive, SlipData, SlipLine, UpdateOrderPinRequest,
    UpdateOrderStatusRequest,
};

pub(super) const PASSWORD: &str = "correct-horse-battery";
/// What the Authorization header makes of user name and password.
pub(super) const BASIC: &str = "MTIzNDU2Nzpjb3JyZWN0LWhvcnNlLWJhdHRlcnk=";
const PIN_BLOCK: &str = "ABCDEF0123456789";
const PIN_ACCOUNT: &str = "918273645546";
pub(super) const ID_NUMBER: &str = "8001015009087";
const FIRST_NAME: &str = "Thandiwe-Zoë";
pub(super) const LAST_NAME: &str = "Nkosi Secret";
const CULTURAL_NAME: &str = "Ntombizodwa";
const PHONE: &str = "+27821112222";
const WORK_PHONE: &str = "+27313334444";
const HOME_PHONE: &str = "+27215556666";
const EMAIL: &str = "thandiwe.nkosi@secret.example";
pub(super) const STREET: &str = "17 Hidden Lane";
const SUBURB: &str = "Secretville";
const CITY: &str = "Umhlangahidden";
const BORN: &str = "1980-01-01";
const BANK_ACCOUNT: &str = "62009988776655";
const COMMENT: &str = "she said the word is mellon";
const SLIP_TEXT: &str = "COLLECT WITH FRIENDSHIP";

pub(super) const SECRETS: [&str; 20] = [
    PASSWORD,
    BASIC,
    PIN_BLOCK,
    PIN_ACCOUNT,
    ID_NUMBER,
    FIRST_NAME,
    LAST_NAME,
    CULTURAL_NAME,
    PHONE,
    "27821112222",
    WORK_PHONE,
    HOME_PHONE,
    EMAIL,
    STREET,
    SUBURB,
    CITY,
    BORN,
    BANK_ACCOUNT,
    COMMENT,
    SLIP_TEXT,
];

pub(super) fn order() -> CreateOrderRequest {
    let line = SlipLine::builder().text(SLIP_TEXT).build();
    CreateOrderRequest::builder()
        .amount(Money::zar(10_000))
        .new_customer(true)
        .sender_details(person())
        .recipient_details(person())
        .pin(pin())
        // The simulator gives it back.
        .slip_data(SlipData::builder().message_lines(vec![line]).build())
        .build()
}

pub(super) fn redemption(reference: &Sensitive) -> RedeemOrderRequest {
    RedeemOrderRequest::builder()
        .order_redeem_ref(reference.clone())
        .amount(Money::zar(10_000))
        .pin(pin())
        .recipient_details(person())
        .cashier_comment(COMMENT)
        .build()
}

pub(super) fn cancellation(reference: &Sensitive) -> CancelOrderRequest {
    CancelOrderRequest::builder()
        .order_redeem_ref(reference.clone())
        .pin(pin())
        .id_number(ID_NUMBER)
        .build()
}

pub(super) fn customer_query() -> CustomerInfoQuery {
    CustomerInfoQuery::builder().id_number(ID_NUMBER).build()
}

/// Everything that is no financial request, and what is printed of it, the answers included.
pub(super) async fn ask_and_update_everything(till: &Client, reference: &Sensitive) -> String {
    let lookup = LookupOrderQuery::builder()
        .order_redeem_ref(reference.clone())
        .build();
    let fee = FeeQuoteQuery::builder()
        .amount(10_000)
        .amount_includes_fee(false)
        .id_number(ID_NUMBER)
        .sender_cell(PHONE)
        .recipient_cell(WORK_PHONE)
        .build();
    let quote = FeeQuoteRequest::builder()
        .amount(Money::zar(10_000))
        .amount_includes_fees(true)
        .sender_details(person())
        .recipient_details(person())
        .build();
    let rate = ExchangeRateQuery::builder()
        .from_currency(Currency::ZAR)
        .to_currency("USD".parse().unwrap())
        .build();
    let history = OrderHistoryQuery::builder()
        .customer_profile_id("1")
        .payment_type("BANK")
        .payment_identifier_name("accountId")
        .payment_identifier_value(BANK_ACCOUNT)
        .build();
    let customer = AdminMessage::builder().customer_details(person()).build();
    let status = UpdateOrderStatusRequest::builder()
        .update_time("2026-01-31T08:30:00Z".parse().unwrap())
        .order_redeem_ref(reference.clone())
        .status(OrderStatus::OnHold)
        .sender_details(person())
        .build();
    let new_pin = UpdateOrderPinRequest::builder()
        .pin(pin())
        .order_redeem_ref(reference.clone())
        .build();
    let mut printed = format!("{lookup:?} {fee:?} {quote:?} {rate:?} {history:?}");
    printed += &format!("{customer:?} {status:?} {new_pin:?} {:?}", customer_query());
    printed += &format!("{:?}", till.lookup_order(lookup).await);
    printed += &format!("{:?}", till.fee_quote(fee).await);
    printed += &format!("{:?}", till.fee_quote_by_post(quote).await);
    printed += &format!("{:?}", till.exchange_rate(rate).await);
    printed += &format!("{:?}", till.order_history(history).await);
    printed += &format!("{:?}", till.create_or_update_customer(customer).await);
    printed += &format!("{:?}", till.customer_info(customer_query()).await);
    printed += &format!("{:?}", till.update_order_status(status).await);
    printed += &format!("{:?}", till.update_order_pin(new_pin).await);
    printed
}

fn person() -> PersonalDetails {
    let address = Address::builder()
        .address_line1(STREET)
        .address_line2(SUBURB)
        .city(CITY)
        .country("ZA")
        .build();
    let account = Account::builder()
        .account_id(BANK_ACCOUNT)
        .kind(AccountKind::Bank)
        .build();
    PersonalDetails::builder()
        .first_name(FIRST_NAME)
        .last_name(LAST_NAME)
        .cultural_name(CULTURAL_NAME)
        .id_number(ID_NUMBER)
        .date_of_birth(BORN)
        .contact_number(PHONE)
        .alt_contact_work(WORK_PHONE)
        .alt_contact_home(HOME_PHONE)
        .email(EMAIL)
        .address(address)
        .account_details(account)
        .build()
}

fn pin() -> EncryptedPin {
    let parameters = EncryptionParameters::builder()
        .account_number(PIN_ACCOUNT)
        .build();
    EncryptedPin::builder()
        .pin_block(PIN_BLOCK)
        .encryption_parameters(parameters)
        .build()
}
