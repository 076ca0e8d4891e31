//! A plain HTTP client with a till's messages, for the simulator's tests.
// Each test file uses a part of it.
#![allow(dead_code, unreachable_pub)]

use std::sync::atomic::{AtomicU64, Ordering};

use money_transfer_retailer::simulator::{Builder, Simulator};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

pub const USER: &str = "12345678901";

pub struct Till {
    pub simulator: Simulator,
    pub client: Client,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
    pub json: Value,
}

impl Answer {
    pub fn error(&self) -> (u16, &str) {
        (
            self.status,
            self.json["errorType"].as_str().unwrap_or("none"),
        )
    }
}

impl Till {
    pub async fn open() -> Till {
        Till::at(Simulator::builder().seed(7)).await
    }

    pub async fn at(builder: Builder) -> Till {
        Till {
            simulator: builder.start().await.unwrap(),
            client: client(),
        }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.simulator.base_url());
        self.client
            .request(method, url)
            .basic_auth(USER, Some("secret"))
    }

    pub async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await.unwrap()
    }

    pub async fn post(&self, path: &str, message: &Value) -> Answer {
        self.try_post(path, message).await.unwrap()
    }

    pub async fn put(&self, path: &str, message: &Value) -> Answer {
        answer(with_json(self.request(Method::PUT, path), message))
            .await
            .unwrap()
    }

    pub async fn try_post(&self, path: &str, message: &Value) -> reqwest::Result<Answer> {
        answer(with_json(self.request(Method::POST, path), message)).await
    }

    /// A createOrder for a new customer.
    pub fn order(&self, amount: i64) -> Value {
        let mut message = transaction();
        message["amount"] = zar(amount);
        message["senderDetails"] =
            json!({ "firstName": "Thandi", "idNumber": fresh_number(), "idType": "NATIONAL_ID" });
        message["recipientDetails"] = json!({ "firstName": "Sipho" });
        message["pin"] = pin("0000000000000001");
        message["newCustomer"] = json!(true);
        message
    }

    pub fn advice(&self, request: &Value) -> Value {
        json!({
            "id": fresh_id(),
            "requestId": id(request),
            "time": "2024-02-29T10:00:01.5+02:00",
            "thirdPartyIdentifiers": [{ "institutionId": "9", "transactionIdentifier": "t-9", "unknown": 1 }],
        })
    }

    pub fn reversal(&self, request: &Value) -> Value {
        let mut message = self.advice(request);
        message["reversalReason"] = json!("TIMEOUT");
        message
    }

    pub fn redemption(&self, reference: &str, amount: i64) -> Value {
        let mut message = transaction();
        message["orderRedeemRef"] = json!(reference);
        message["amount"] = zar(amount);
        message["pin"] = pin("0000000000000001");
        message
    }

    pub fn cancellation(&self, reference: &str) -> Value {
        let mut message = transaction();
        message["orderRedeemRef"] = json!(reference);
        message
    }

    /// An order that can be redeemed: its request and its redeem reference.
    pub async fn sold(&self, amount: i64) -> (Value, String) {
        let request = self.order(amount);
        let approved = self.post("/orders", &request).await;
        assert_eq!(approved.status, 201, "{approved:?}");
        let confirmed = self
            .post("/orders/confirmations", &self.advice(&request))
            .await;
        assert_eq!(confirmed.status, 202, "{confirmed:?}");
        (
            request,
            approved.json["orderRedeemRef"].as_str().unwrap().to_owned(),
        )
    }
}

/// A client that never asks for a proxy.
pub fn client() -> Client {
    #[cfg(feature = "rustls")]
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().build().unwrap()
}

pub fn with_json(request: RequestBuilder, message: &Value) -> RequestBuilder {
    request
        .header("content-type", "application/json")
        .body(message.to_string())
}

pub async fn answer(request: RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.send().await?;
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let content_type = headers
        .get("content-type")
        .map_or("", |value| value.to_str().unwrap());
    let content_type = content_type.to_owned();
    let text = response.text().await?;
    let json = serde_json::from_str(&text).unwrap_or_default();
    Ok(Answer {
        status,
        content_type,
        headers,
        text,
        json,
    })
}

pub fn transaction() -> Value {
    json!({
        "id": fresh_id(),
        "time": "2024-02-29T10:00:00+02:00",
        "originator": originator(),
        "client": { "id": USER, "name": "Client" },
        "settlementEntity": { "id": "8", "name": "Bank" },
        "receiver": { "id": "9", "name": "Provider" },
        "thirdPartyIdentifiers": [{ "institutionId": "1", "transactionIdentifier": "a" }],
        "slipData": { "slipWidth": 40 },
        "basketRef": "basket",
        "tranType": "GENERAL_TRANSFER",
        "srcAccType": "DEFAULT",
        "destAccType": "DEFAULT",
    })
}

pub fn originator() -> Value {
    json!({
        "institution": { "id": "7", "name": "Retailer" },
        "terminalId": "TERM0001",
        "merchant": {
            "merchantType": "5411",
            "merchantId": "MERCHANT0000001",
            "merchantName": { "name": "Shop", "city": "Cape Town", "region": "WC", "country": "ZA" },
        },
    })
}

pub fn zar(amount: i64) -> Value {
    json!({ "amount": amount, "currency": "710" })
}

pub fn pin(block: &str) -> Value {
    json!({ "pinBlock": block })
}

pub fn id(message: &Value) -> &str {
    message["id"].as_str().unwrap()
}

pub fn fresh_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

pub fn fresh_number() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(8_001_015_009_087);
    NEXT.fetch_add(1, Ordering::Relaxed).to_string()
}
