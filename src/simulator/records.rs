//! What the book shows of an order: where it stands, and the advices that brought it there.

use std::fmt;

/// What has become of a request that is confirmed or reversed by advices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LegState {
    /// Approved, neither confirmed nor reversed.
    Created,
    /// Confirmed.
    Confirmed,
    /// Reversed.
    Reversed,
}

/// A request with the advices that were accepted for it.
#[derive(Clone, Debug)]
pub struct Leg {
    pub(super) request_id: String,
    pub(super) state: LegState,
    pub(super) confirmations: Vec<String>,
    pub(super) reversals: Vec<String>,
}

impl Leg {
    pub(super) fn new(request_id: &str) -> Self {
        Leg {
            request_id: request_id.to_owned(),
            state: LegState::Created,
            confirmations: Vec::new(),
            reversals: Vec::new(),
        }
    }

    /// The id of the request.
    #[must_use]
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> LegState {
        self.state
    }

    /// The ids of the confirmations that were accepted, in order.
    #[must_use]
    pub fn confirmations(&self) -> &[String] {
        &self.confirmations
    }

    /// The ids of the reversals that were accepted, in order.
    #[must_use]
    pub fn reversals(&self) -> &[String] {
        &self.reversals
    }
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OrderState {
    /// Approved, neither confirmed nor reversed.
    Created,
    /// Confirmed: it can be redeemed.
    Confirmed,
    /// Reversed: it never took effect.
    Reversed,
    /// Confirmed and later cancelled.
    Cancelled,
    /// Redeemed by a redemption that is confirmed.
    Redeemed,
}

/// One order. `Debug` leaves its redeem reference out.
#[derive(Clone)]
pub struct Order {
    pub(super) number: u64,
    pub(super) user: String,
    pub(super) leg: Leg,
    pub(super) redeem_ref: String,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) redemptions: Vec<Leg>,
    pub(super) cancellations: Vec<Leg>,
}

impl Order {
    /// The id of the createOrder request.
    #[must_use]
    pub fn request_id(&self) -> &str {
        &self.leg.request_id
    }

    /// The user name of the account it belongs to.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The reference by which it is redeemed: 20 digits, and a secret.
    #[must_use]
    pub fn order_redeem_ref(&self) -> &str {
        &self.redeem_ref
    }

    /// The amount in minor units of [`currency`](Order::currency).
    #[must_use]
    pub fn amount(&self) -> i64 {
        self.amount
    }

    /// The currency's number in ISO 4217.
    #[must_use]
    pub fn currency(&self) -> &str {
        &self.currency
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> OrderState {
        match self.leg.state {
            LegState::Created => OrderState::Created,
            LegState::Reversed => OrderState::Reversed,
            LegState::Confirmed if self.is_cancelled() => OrderState::Cancelled,
            LegState::Confirmed if self.is_redeemed() => OrderState::Redeemed,
            LegState::Confirmed => OrderState::Confirmed,
        }
    }

    /// The ids of the confirmations that were accepted, in order.
    #[must_use]
    pub fn confirmations(&self) -> &[String] {
        &self.leg.confirmations
    }

    /// The ids of the reversals that were accepted, in order.
    #[must_use]
    pub fn reversals(&self) -> &[String] {
        &self.leg.reversals
    }

    /// The redemptions that were approved, in order.
    #[must_use]
    pub fn redemptions(&self) -> &[Leg] {
        &self.redemptions
    }

    /// The cancellations that were approved, in order; a reversed one has reopened the order.
    #[must_use]
    pub fn cancellations(&self) -> &[Leg] {
        &self.cancellations
    }

    fn is_redeemed(&self) -> bool {
        self.redemptions
            .iter()
            .any(|leg| leg.state == LegState::Confirmed)
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancellations
            .iter()
            .any(|leg| leg.state != LegState::Reversed)
    }

    /// Whether a redemption was approved and not reversed: the money may be out.
    pub(super) fn is_taken(&self) -> bool {
        self.redemptions
            .iter()
            .any(|leg| leg.state != LegState::Reversed)
    }
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Order")
            .field("request_id", &self.leg.request_id)
            .field("user", &self.user)
            .field("amount", &self.amount)
            .field("currency", &self.currency)
            .field("state", &self.state())
            .field("confirmations", &self.leg.confirmations)
            .field("reversals", &self.leg.reversals)
            .field("redemptions", &self.redemptions)
            .field("cancellations", &self.cancellations)
            .finish()
    }
}
