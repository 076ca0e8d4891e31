//! Who is asking, and for whom: other credentials, another client, another receiver.

use money_transfer_retailer::model::{CreateOrderRequest, Institution};

use super::super::expectation::Expectation;
use super::super::inventions::{self, digits};
use super::super::seen::Seen;
use super::super::walk::{Walk, Walked};

/// The interface leaves both to the provider.
const ANY_CLIENT: &str = "this server does not hold the client's id against the user name";
const ANY_RECEIVER: &str = "this server takes orders for a receiver that was made up";

pub(super) async fn strangers(walk: &mut Walk) -> Walked {
    let order = walk.paid().await?;
    let password = inventions::password(&walk.world.secrets);
    walk.look_as_a_stranger("the password is wrong", Some(&password))
        .await?;
    walk.look_as_a_stranger("there are no credentials", None)
        .await?;
    walk.still_redeemable(&order).await
}

pub(super) async fn parties(walk: &mut Walk) -> Walked {
    let mut of_another = walk.sale().request();
    of_another.client = Some(Institution::new(digits(7), "Another client"));
    of_others(walk, "the client is another one", of_another, ANY_CLIENT).await?;
    let mut for_another = walk.sale().request();
    for_another.receiver = Some(Institution::new(digits(6), "Another receiver"));
    let what = "the receiver is another one";
    of_others(walk, what, for_another, ANY_RECEIVER).await?;
    walk.queue_is_empty("nothing is left to decide or to deliver");
    Ok(())
}

async fn of_others(
    walk: &mut Walk,
    what: &str,
    request: CreateOrderRequest,
    remark: &str,
) -> Walked {
    let words = "declined, or approved and taken back";
    let is_final = |seen: &Seen<_>| matches!(seen, Seen::Answered(_) | Seen::Declined(_));
    let expected = Expectation::seeing(words, is_final);
    if let Some(approved) = walk.step(what, request, expected).await? {
        walk.remark(remark);
        walk.reverse("it was approved, and is taken back", approved)
            .await?;
    }
    Ok(())
}
