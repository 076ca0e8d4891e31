//! People, PINs, references and sales that are made up for one run, and hidden from the moment they exist.

use money_transfer_retailer::model::{
    CancelOrderRequest, CreateOrderRequest, EncryptedPin, EncryptionParameters, Money,
    PersonalDetails, PinBlockFormat, RedeemOrderRequest, Sensitive,
};

use super::masking::Secrets;

/// The country of every telephone number.
const COUNTRY_CODE: &str = "27";

/// Somebody who does not exist.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) details: PersonalDetails,
    pub(crate) id_number: Sensitive,
}

/// What a customer wants to send.
#[derive(Clone)]
pub(crate) struct Sale {
    pub(crate) sender: Person,
    pub(crate) amount: Money,
    pub(crate) pin: EncryptedPin,
    recipient: Person,
    /// The sender's profile, where the sender is a customer already.
    pub(crate) customer_profile_id: Option<String>,
}

/// A sale that was approved.
#[derive(Clone)]
pub(crate) struct Order {
    pub(crate) sale: Sale,
    pub(crate) redeem_ref: Sensitive,
    pub(crate) redeem_ref_alt: Option<Sensitive>,
    pub(crate) order_id: Option<String>,
}

impl Sale {
    /// A new customer and a small amount: within any limit.
    pub(crate) fn invent(secrets: &Secrets) -> Sale {
        Sale {
            sender: person(secrets),
            recipient: person(secrets),
            amount: Money::zar(fastrand::i64(10_000..=40_000)),
            pin: pin(secrets),
            customer_profile_id: None,
        }
    }

    pub(crate) fn request(&self) -> CreateOrderRequest {
        CreateOrderRequest::builder()
            .amount(self.amount.clone())
            .sender_details(self.sender.details.clone())
            .recipient_details(self.recipient.details.clone())
            .pin(self.pin.clone())
            // Some servers break where it is missing.
            .new_customer(self.customer_profile_id.is_none())
            .maybe_customer_profile_id(self.customer_profile_id.clone())
            .build()
    }
}

impl Order {
    /// A redemption by the rightful recipient.
    pub(crate) fn redemption(&self) -> RedeemOrderRequest {
        self.redemption_with(&self.sale.pin)
    }

    pub(crate) fn redemption_with(&self, pin: &EncryptedPin) -> RedeemOrderRequest {
        RedeemOrderRequest::builder()
            // Some servers break where amount or PIN is missing.
            .amount(self.sale.amount.clone())
            .pin(pin.clone())
            .order_redeem_ref(self.redeem_ref.clone())
            .recipient_details(self.sale.recipient.details.clone())
            .build()
    }

    pub(crate) fn cancellation(&self) -> CancelOrderRequest {
        CancelOrderRequest::builder()
            .order_redeem_ref(self.redeem_ref.clone())
            .maybe_order_redeem_ref_alt(self.redeem_ref_alt.clone())
            .pin(self.sale.pin.clone())
            .id_number(self.sale.sender.id_number.clone())
            .build()
    }
}

pub(crate) fn person(secrets: &Secrets) -> Person {
    let id_number = hidden(identity_number(), secrets);
    let contact_number = Sensitive::from(format!("+{COUNTRY_CODE}82{}", digits(7)));
    secrets.hide_telephone(&contact_number, COUNTRY_CODE);
    let details = PersonalDetails::builder()
        .first_name(hidden("Thandi".to_owned(), secrets))
        .last_name(hidden("Mokoena".to_owned(), secrets))
        .id_number(id_number.clone())
        .contact_number(contact_number)
        .build();
    Person { details, id_number }
}

pub(crate) fn pin(secrets: &Secrets) -> EncryptedPin {
    let block: String = (0..16).map(|_| fastrand::digit(16)).collect();
    let parameters = EncryptionParameters::builder()
        .pin_block_format(PinBlockFormat::Iso9564Format0)
        .account_number(hidden(digits(12), secrets))
        .key_index(1)
        .build();
    EncryptedPin::builder()
        .pin_block(hidden(block.to_uppercase(), secrets))
        .encryption_parameters(parameters)
        .build()
}

/// A password that nobody has.
pub(crate) fn password(secrets: &Secrets) -> Sensitive {
    hidden(digits(20), secrets)
}

/// What somebody is called after a wedding.
pub(crate) fn new_last_name(secrets: &Secrets) -> Sensitive {
    hidden("Mokoena-Dlamini".to_owned(), secrets)
}

/// A redeem reference that no order has.
pub(crate) fn redeem_ref(secrets: &Secrets) -> Sensitive {
    hidden(digits(20), secrets)
}

fn hidden(text: String, secrets: &Secrets) -> Sensitive {
    let secret = Sensitive::from(text);
    secrets.hide(&secret);
    secret
}

pub(crate) fn digits(count: usize) -> String {
    (0..count).map(|_| fastrand::digit(10)).collect()
}

/// Thirteen digits of the shape that South Africa uses: date of birth, serial number, citizenship, and
/// a check digit for servers that look.
fn identity_number() -> String {
    let (month, day) = (fastrand::u8(1..=12), fastrand::u8(1..=28));
    let number = format!("{}{month:02}{day:02}{}08", digits(2), digits(4));
    let check = check_digit(&number);
    format!("{number}{check}")
}

/// The digit that completes `number` by the rule of Luhn.
fn check_digit(number: &str) -> u32 {
    let digits = number.chars().rev().filter_map(|digit| digit.to_digit(10));
    let weighed = digits.enumerate().map(|(place, digit)| match place % 2 {
        0 => digit * 2 / 10 + digit * 2 % 10,
        _ => digit,
    });
    (10 - weighed.sum::<u32>() % 10) % 10
}
