//! The steps that many flows begin or end with.

use money_transfer_retailer::Approved;
use money_transfer_retailer::model::{
    CreateOrderRequest, CreateOrderResponse, ErrorType, LookupOrderQuery, LookupOrderResponse,
    OrderStatus, RedeemOrderRequest, RedeemOrderResponse, Sensitive,
};

use super::super::expectation::{Expectation, alternatives, same};
use super::super::inventions::{Order, Sale};
use super::super::walk::{LeftOrder, Stop, Walk, Walked};

impl Walk {
    pub(super) fn sale(&self) -> Sale {
        Sale::invent(&self.world.secrets)
    }

    /// createOrder, approved with the amount that was asked for and a redeem reference.
    pub(super) async fn approved(
        &mut self,
        what: &str,
        sale: Sale,
    ) -> Walked<(Approved<CreateOrderResponse>, Order)> {
        let request = sale.request();
        self.approved_as(what, sale, request).await
    }

    pub(super) async fn approved_as(
        &mut self,
        what: &str,
        sale: Sale,
        request: CreateOrderRequest,
    ) -> Walked<(Approved<CreateOrderResponse>, Order)> {
        let words = format!("approved {}, with reference", sale.amount);
        let approved = self.ask(what, request, words, |approved| {
            let response = approved.response();
            same(&response.amount, &sale.amount) && response.order_redeem_ref.is_some()
        });
        let approved = approved.await?;
        let response = approved.response();
        let order = Order {
            redeem_ref: response.order_redeem_ref.clone().ok_or(Stop::Flow)?,
            redeem_ref_alt: response.order_redeem_ref_alt.clone(),
            order_id: response.order_id.clone(),
            sale,
        };
        Ok((approved, order))
    }

    /// An order that the recipient can collect.
    pub(super) async fn paid(&mut self) -> Walked<Order> {
        let sale = self.sale();
        self.paid_for(sale).await
    }

    pub(super) async fn paid_for(&mut self, sale: Sale) -> Walked<Order> {
        let (approved, order) = self.approved("an order is created", sale).await?;
        self.not_yet_confirmed(&order).await?;
        self.confirm("the customer pays", approved).await?;
        self.status(
            "the order can be redeemed",
            &order,
            &[OrderStatus::Unredeemed],
        )
        .await?;
        self.leave(&order, OrderStatus::Unredeemed);
        Ok(order)
    }

    /// redeemOrder, approved with the amount of the order.
    pub(super) async fn redeem(
        &mut self,
        what: &str,
        order: &Order,
        request: RedeemOrderRequest,
    ) -> Walked<Approved<RedeemOrderResponse>> {
        let amount = &order.sale.amount;
        self.ask(what, request, format!("approved {amount}"), |approved| {
            same(&approved.response().amount, amount)
        })
        .await
    }

    /// The recipient collects the money, for good.
    pub(super) async fn pay_out(&mut self, order: &Order, request: RedeemOrderRequest) -> Walked {
        let approved = self.redeem("the order is redeemed", order, request).await?;
        self.redemption_undecided(order).await?;
        self.confirm("the recipient is paid", approved).await?;
        self.leave(order, OrderStatus::Redeemed);
        self.redeemed(order).await
    }

    /// lookupOrder of an order that was paid out.
    pub(super) async fn redeemed(&mut self, order: &Order) -> Walked {
        let redeemed = [OrderStatus::Redeemed];
        self.status("the order is redeemed for good", order, &redeemed)
            .await
    }

    /// lookupOrder between the approval and the decision of a createOrder.
    pub(super) async fn not_yet_confirmed(&mut self, order: &Order) -> Walked {
        // Servers of an earlier version have no word for it.
        let unconfirmed = [OrderStatus::Unconfirmed, OrderStatus::Unredeemed];
        self.status("the order, not yet confirmed", order, &unconfirmed)
            .await
    }

    /// lookupOrder between the approval and the decision of a redeemOrder.
    pub(super) async fn redemption_undecided(&mut self, order: &Order) -> Walked {
        // The interface has no word for it: some servers call it redeemed from the approval on.
        let either = [OrderStatus::Unredeemed, OrderStatus::Redeemed];
        self.status("the order, its redemption undecided", order, &either)
            .await
    }

    /// lookupOrder of an order that nothing has happened to.
    pub(super) async fn still_redeemable(&mut self, order: &Order) -> Walked {
        let unredeemed = [OrderStatus::Unredeemed];
        self.status("the order can still be redeemed", order, &unredeemed)
            .await
    }

    /// lookupOrder of an order whose cancellation was reversed.
    pub(super) async fn stands_again(&mut self, order: &Order) -> Walked {
        let unredeemed = [OrderStatus::Unredeemed];
        self.status("the order stands again", order, &unredeemed)
            .await
    }

    /// lookupOrder of an order that was reversed or cancelled.
    pub(super) async fn does_not_stand(&mut self, order: &Order) -> Walked {
        self.status("the order does not stand", order, &[OrderStatus::Cancelled])
            .await
    }

    /// redeemOrder of an order that was reversed or cancelled: nobody is paid, whatever a lookup says.
    pub(super) async fn cannot_be_redeemed(&mut self, order: &Order) -> Walked {
        let expected = Expectation::declined_like(&[ErrorType::UnableToRedeem]);
        let what = "the order cannot be redeemed";
        self.step(what, order.redemption(), expected).await?;
        Ok(())
    }

    /// lookupOrder, with one of these statuses and the amount of the order.
    pub(super) async fn status(
        &mut self,
        what: &str,
        order: &Order,
        accepted: &[OrderStatus],
    ) -> Walked {
        let amount = &order.sale.amount;
        let words = format!("{}, {amount}", alternatives(accepted));
        let expected = Expectation::answer(words, |found: &LookupOrderResponse| {
            let status = found.status.as_ref();
            status.is_some_and(|status| accepted.contains(status))
                && found
                    .amount
                    .as_ref()
                    .is_some_and(|found| same(found, amount))
        });
        let query = lookup(&order.redeem_ref);
        self.step(what, query, expected.in_time()).await?;
        Ok(())
    }

    pub(super) fn queue_is_empty(&mut self, what: &str) {
        let queue = self.queue();
        self.find(what, "the queue is empty", queue);
    }

    /// Remembers how an order was left, for the last look at all of them.
    pub(super) fn leave(&self, order: &Order, status: OrderStatus) {
        self.forget(order);
        let left = LeftOrder {
            flow: self.flow,
            order: order.clone(),
            status,
        };
        self.world.left.borrow_mut().push(left);
    }

    /// Of this order servers may say different things.
    pub(super) fn forget(&self, order: &Order) {
        let mut left = self.world.left.borrow_mut();
        left.retain(|known| known.order.redeem_ref != order.redeem_ref);
    }
}

pub(super) fn lookup(redeem_ref: &Sensitive) -> LookupOrderQuery {
    LookupOrderQuery::builder()
        .order_redeem_ref(redeem_ref.clone())
        .build()
}
