//! The messages of a till, with made-up people who can be told from everything else.

use fastrand::Rng;
use money_transfer_retailer::model::{
    CancelOrderRequest, CreateOrderRequest, EncryptedPin, EncryptionParameters, Institution,
    Merchant, MerchantName, Money, Originator, PersonalDetails, RedeemOrderRequest, RequestId,
    Sensitive,
};

/// What every order is about, in cents.
const AMOUNT: i64 = 79_995;

/// What must not get into any file.
#[derive(Clone)]
pub(crate) struct Secrets {
    pub(crate) password: String,
    pin_block: String,
    account_number: String,
    first_name: String,
    last_name: String,
    id_number: String,
    contact_number: String,
}

impl Secrets {
    /// Those of one till. The process that audits makes up the same ones.
    pub(crate) fn of(seed: u64, till: usize) -> Secrets {
        let mut random = Rng::with_seed(seed ^ (till as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let random = &mut random;
        Secrets {
            password: letters(random, 20),
            pin_block: format!("{:016X}", random.u64(1 << 60..)),
            account_number: digits(random, 12),
            first_name: letters(random, 14),
            last_name: letters(random, 16),
            id_number: digits(random, 13),
            contact_number: format!("+27{}", digits(random, 9)),
        }
    }

    pub(crate) fn all(&self) -> Vec<String> {
        let lower_pin = self.pin_block.to_lowercase();
        let texts = [
            &self.password,
            &self.pin_block,
            &lower_pin,
            &self.account_number,
            &self.first_name,
            &self.last_name,
            &self.id_number,
            &self.contact_number,
        ];
        texts.map(String::clone).to_vec()
    }

    pub(crate) fn order(&self, id: RequestId) -> CreateOrderRequest {
        let sender = PersonalDetails::builder()
            .first_name(self.first_name.as_str())
            .last_name(self.last_name.as_str())
            .id_number(self.id_number.as_str())
            .contact_number(self.contact_number.as_str())
            .build();
        CreateOrderRequest::builder()
            .id(id)
            .amount(Money::zar(AMOUNT))
            .new_customer(true)
            .sender_details(sender)
            .pin(self.pin())
            .build()
    }

    pub(crate) fn redemption(&self, id: RequestId, reference: &Sensitive) -> RedeemOrderRequest {
        RedeemOrderRequest::builder()
            .id(id)
            .order_redeem_ref(reference.clone())
            .amount(Money::zar(AMOUNT))
            .pin(self.pin())
            .build()
    }

    fn pin(&self) -> EncryptedPin {
        let parameters = EncryptionParameters::builder()
            .account_number(self.account_number.as_str())
            .build();
        EncryptedPin::builder()
            .pin_block(self.pin_block.as_str())
            .encryption_parameters(parameters)
            .build()
    }
}

pub(crate) fn cancellation(id: RequestId, reference: &Sensitive) -> CancelOrderRequest {
    CancelOrderRequest::builder()
        .id(id)
        .order_redeem_ref(reference.clone())
        .build()
}

/// The user name of a till, by which the simulator tells one from another.
pub(crate) fn user_of(till: usize) -> String {
    format!("{}", 1_000_000 + till)
}

pub(crate) fn till_of(user: &str) -> Option<usize> {
    user.parse::<usize>().ok()?.checked_sub(1_000_000)
}

pub(crate) fn originator() -> Originator {
    let shop = MerchantName::builder()
        .name("Corner Shop")
        .city("Cape Town")
        .region("WC")
        .country("ZA")
        .build();
    let merchant = Merchant::builder()
        .merchant_type("5411")
        .merchant_id("100000000012345")
        .merchant_name(shop)
        .build();
    Originator::builder()
        .institution(Institution::new("588892", "Retailer"))
        .terminal_id("TILL0007")
        .merchant(merchant)
        .build()
}

fn letters(random: &mut Rng, count: usize) -> String {
    (0..count).map(|_| random.lowercase()).collect()
}

fn digits(random: &mut Rng, count: usize) -> String {
    // A first digit other than 0, so that no one takes it for padding.
    let first = random.char('1'..='9');
    let rest = (1..count).map(|_| random.digit(10));
    std::iter::once(first).chain(rest).collect()
}
