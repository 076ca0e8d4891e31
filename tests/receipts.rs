//! Receipts: kept until a sale is settled, so that they can be printed after a restart; then masked, and erased.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::path::Path;
use std::sync::{Arc, Mutex};

use money_transfer_retailer::model::Sensitive;
use money_transfer_retailer::{ClientBuilder, Receipt, ReceiptKey, RequestId, Standing};
use support::{PATIENCE, Shop, approved, order, till};

#[tokio::test]
async fn a_receipt_is_kept_until_the_sale_is_settled_and_masked_from_then_on() {
    let shop = Shop::open().await;
    let (id, reference) = undecided(&shop).await;
    let shop = shop.reopen().await;
    let record = shop.till.transaction(id).unwrap().unwrap();
    assert_eq!(record.receipt.order_redeem_ref, Some(reference.clone()));
    shop.till.confirm(id).await.unwrap();
    shop.drained().await;
    let record = shop.till.transaction(id).unwrap().unwrap();
    assert_eq!(record.receipt, Receipt::default());
    let end = &reference.expose()[reference.expose().len() - 4..];
    assert_eq!(record.masked_redeem_ref, Some(format!("***{end}")));
}

#[tokio::test]
async fn before_settlement_a_redeem_reference_is_in_the_vault_alone() {
    let shop = Shop::open().await;
    let (_, reference) = undecided(&shop).await;
    shop.till.shutdown(PATIENCE).await;
    let holders = files_with(shop.queue.path(), reference.expose());
    assert_eq!(holders, ["vault"], "and the search finds what is there");
}

#[tokio::test]
async fn after_settlement_a_redeem_reference_is_in_no_file() {
    let shop = Shop::open().await;
    let (confirmed, one) = undecided(&shop).await;
    let (reversed, other) = undecided(&shop).await;
    shop.till.confirm(confirmed).await.unwrap();
    let reason = money_transfer_retailer::model::ReversalReason::Cancelled;
    shop.till.reverse(reversed, reason).await.unwrap();
    shop.drained().await;
    let shop = shop.reopen().await;
    let found =
        || [&one, &other].map(|reference| files_with(shop.queue.path(), reference.expose()));
    assert_eq!(found(), [[""; 0]; 2], "while it is open");
    shop.till.shutdown(PATIENCE).await;
    assert_eq!(found(), [[""; 0]; 2], "and when it is shut");
}

#[tokio::test]
async fn with_a_key_a_receipt_is_sealed_and_printed_again_after_a_restart() {
    let shop = Shop::open().await;
    shop.till.clone().shutdown(PATIENCE).await;
    let first = keyed(&shop, 7).open().await.unwrap();
    let sale = approved(first.create_order(order()).await.unwrap());
    let (id, reference) = (sale.request_id(), sale.response().order_redeem_ref.clone());
    let secret = reference.clone().unwrap().expose().to_owned();
    assert!(files_with(shop.queue.path(), &secret).is_empty());
    first.shutdown(PATIENCE).await;
    assert!(files_with(shop.queue.path(), &secret).is_empty());
    let second = keyed(&shop, 7).open().await.unwrap();
    let record = second.transaction(id).unwrap().unwrap();
    assert_eq!(record.receipt.order_redeem_ref, reference);
}

#[tokio::test]
async fn with_another_key_or_none_all_but_the_receipt_is_there_and_a_warning_says_so() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone());
    tracing::subscriber::set_global_default(subscriber.finish()).unwrap();
    for other_key in [Some(8), None] {
        let id = opened_with(other_key).await.to_string();
        let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let warned = logged
            .lines()
            .any(|line| line.contains("WARN") && line.contains("receipt") && line.contains(&id));
        assert!(warned, "{other_key:?}: {logged}");
    }
}

/// Sells with one key, opens with another, and finishes the sale.
async fn opened_with(other_key: Option<u8>) -> RequestId {
    let shop = Shop::open().await;
    shop.till.clone().shutdown(PATIENCE).await;
    let first = keyed(&shop, 7).open().await.unwrap();
    let id = approved(first.create_order(order()).await.unwrap()).request_id();
    first.shutdown(PATIENCE).await;
    let builder = match other_key {
        Some(byte) => keyed(&shop, byte),
        None => till(&shop.upstream.base_url(), shop.queue.path()),
    };
    let second = builder.open().await.unwrap();
    let record = &second.advices().undecided().unwrap()[0];
    assert_eq!(
        (record.request_id, record.standing),
        (id, Standing::Undecided)
    );
    assert!(record.receipt.order_redeem_ref.is_none());
    assert!(record.masked_redeem_ref.is_some() && record.amount.is_some());
    second.confirm(id).await.unwrap();
    second.advices().wait_empty(PATIENCE).await.unwrap();
    assert_eq!(shop.upstream.book().confirmations_of(id).accepted(), 1);
    id
}

fn keyed(shop: &Shop, byte: u8) -> ClientBuilder {
    let key = ReceiptKey::new([byte; 32]);
    till(&shop.upstream.base_url(), shop.queue.path()).receipt_key(key)
}

async fn undecided(shop: &Shop) -> (RequestId, Sensitive) {
    let sale = shop.approved().await;
    let reference = sale.response().order_redeem_ref.clone().unwrap();
    (sale.request_id(), reference)
}

/// The names of the files below `directory` that hold `text`.
fn files_with(directory: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, text));
            continue;
        }
        let contents = std::fs::read(&path).unwrap();
        let mut windows = contents.windows(text.len());
        if windows.any(|window| window == text.as_bytes()) {
            found.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    found
}

/// A log that can be read.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
