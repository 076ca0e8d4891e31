//! What must not be read over somebody's shoulder: hidden by the name of its field, and struck out
//! wherever a server quotes it.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BTreeSet;

use money_transfer_retailer::model::Sensitive;

pub(crate) const MASK: &str = "***";

/// A shorter text is struck out where it stands alone only: it would be found within innocent words.
const LONG: usize = 6;

/// A number with as many digits is struck out also where they stand in groups: in no other place would all of
/// them follow each other.
const LONG_NUMBER: usize = 9;

/// What stands between such groups, and how much of it at most.
const SEPARATORS: [char; 8] = [' ', '-', '.', '/', '(', ')', '\u{a0}', '\u{2011}'];
const LONGEST_GAP: usize = 3;

/// The fields that the interface marks as sensitive, the references that money can be collected with,
/// and what else names a person or is printed for one. In lower case.
const HIDDEN: [&str; 34] = [
    "accountid",
    "accountnumber",
    "addressline1",
    "addressline2",
    "altcontacthome",
    "altcontactwork",
    "cashiercomment",
    "contactnumber",
    "countryofbirth",
    "culturalname",
    "dateofbirth",
    "email",
    "firstname",
    "idcountrycode",
    "idexpirydate",
    "idissueddate",
    "idnumber",
    "issuerreference",
    "lastname",
    "middlename",
    "nationality",
    "occupation",
    "orderredeemref",
    "orderredeemrefalt",
    "paymentidentifiervalue",
    "pinblock",
    "postcode",
    "province",
    "recipientcell",
    "remittanceref",
    "sendercell",
    "sourceofincome",
    "surname",
    "text",
];

/// The objects in which nothing is shown, whatever it is called. In lower case.
const HIDDEN_WHOLE: [&str; 7] = [
    "accountdetails",
    "address",
    "barcode",
    "customerdetails",
    "messagelines",
    "recipientdetails",
    "senderdetails",
];

/// What names the field of a credential, whatever else is in the name: a server may show the headers that it
/// got. In lower case.
const CREDENTIALS: [&str; 4] = ["authorization", "cookie", "credential", "password"];

/// Of these a server may quote what it made up itself, such as in a Location.
const REFERENCES: [&str; 3] = ["orderredeemref", "orderredeemrefalt", "remittanceref"];

/// Whether the value of a field is hidden, by the field's name.
pub(crate) fn is_hidden(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let name = name.as_str();
    HIDDEN.contains(&name) || HIDDEN_WHOLE.contains(&name) || is_credential(name)
}

fn is_credential(name: &str) -> bool {
    CREDENTIALS.iter().any(|part| name.contains(part))
}

/// Whether the value of a field is a reference that money can be collected with.
pub(crate) fn is_reference(name: &str) -> bool {
    REFERENCES.contains(&name.to_ascii_lowercase().as_str())
}

/// Every secret of a run, to be struck out of whatever is told.
#[derive(Default)]
pub(crate) struct Secrets(RefCell<BTreeSet<Secret>>);

/// The longest first: a secret that begins with another one would lose its beginning only.
type Secret = (Reverse<usize>, String);

impl Secrets {
    pub(crate) fn hide(&self, secret: &Sensitive) {
        self.hide_text(secret.expose());
    }

    /// The password, alone and as HTTP Basic sends it: a server may quote the header that it got.
    pub(crate) fn hide_credentials(&self, password: &Sensitive, basic: &str) {
        self.hide(password);
        let token = basic.strip_prefix("Basic ").unwrap_or(basic);
        // What only fills up the end may be left out.
        let token = token.trim_end_matches('=');
        self.hide_text(token);
        // The letters of base64 in a URL.
        self.hide_text(&token.replace('+', "-").replace('/', "_"));
    }

    pub(crate) fn hide_text(&self, secret: &str) {
        // A text without a letter or a digit hides nothing, and is everywhere.
        if secret.chars().any(char::is_alphanumeric) {
            let secret = (Reverse(secret.len()), secret.to_owned());
            self.0.borrow_mut().insert(secret);
        }
    }

    /// A telephone number by its significant digits, as every form has them: with the code of the country, and
    /// with or without a `+` or zeros before it, or in the country's own way.
    pub(crate) fn hide_telephone(&self, number: &Sensitive, country_code: &str) {
        self.hide(number);
        let digits: String = number
            .expose()
            .chars()
            .filter(char::is_ascii_digit)
            .collect();
        self.hide_text(digits.strip_prefix(country_code).unwrap_or(&digits));
    }

    /// The same text with a mask in place of every secret, in capitals or not, as it is or as in a URL.
    pub(crate) fn strike_out(&self, text: &str) -> String {
        let secrets = self.0.borrow();
        secrets.iter().fold(text.to_owned(), |text, (_, secret)| {
            struck_out(text, secret)
        })
    }
}

fn struck_out(text: String, secret: &str) -> String {
    // However it is spelled, each of its characters takes a place: of many secrets most need no search.
    let is_too_short = text.len() < secret.chars().count();
    if is_too_short || first(&text, secret).is_none() {
        return text;
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, found, after)) = first(rest, secret) {
        let stands_alone = !ends_in_a_word(before, &shown) && !begins_with_a_word(after);
        shown.push_str(before);
        shown.push_str(match secret.len() >= LONG || stands_alone {
            true => MASK,
            false => found,
        });
        rest = after;
    }
    shown + rest
}

/// Where the secret stands first, however it is spelled: what is before it, itself, and what comes after.
fn first<'a>(text: &'a str, secret: &str) -> Option<(&'a str, &'a str, &'a str)> {
    text.char_indices().find_map(|(start, _)| {
        if !may_begin(text.as_bytes()[start], secret.as_bytes()[0]) {
            return None;
        }
        let end = start + common_length(&text[start..], secret)?;
        Some((&text[..start], &text[start..end], &text[end..]))
    })
}

/// Whether a text may begin with a secret, by the first byte of each: most places in a text need no closer look.
fn may_begin(found: u8, wanted: u8) -> bool {
    let is_another_letter =
        found.is_ascii() && wanted.is_ascii() && !found.eq_ignore_ascii_case(&wanted);
    // What stands for another one in a URL.
    !is_another_letter || matches!(found, b'%' | b'+')
}

/// The length of what `text` begins with, if that is the secret: as it is, as a URL has it, or as a long number
/// is read out.
fn common_length(text: &str, secret: &str) -> Option<usize> {
    // One after the other, as a `%` in the secret may be itself or the beginning of `%25`.
    spelled_by(plain_length, text, secret)
        .or_else(|| spelled_by(url_length, text, secret))
        .or_else(|| grouped_length(text, secret))
}

/// The length of what `text` begins with, if that is a long number with its digits in groups.
fn grouped_length(text: &str, secret: &str) -> Option<usize> {
    // Asked first, as it is asked of every place in a text.
    if secret.bytes().next() != text.bytes().next() {
        return None;
    }
    let is_number = secret.len() >= LONG_NUMBER && secret.bytes().all(|one| one.is_ascii_digit());
    is_number
        .then(|| spelled_by(digit_length, text, secret))
        .flatten()
}

/// The length of a digit and of what separates it from the group before it.
fn digit_length(text: &str, wanted: char) -> Option<usize> {
    let mut rest = text;
    for _ in 0..=LONGEST_GAP {
        if rest.starts_with(wanted) {
            return Some(text.len() - rest.len() + wanted.len_utf8());
        }
        let separator = SEPARATORS.iter().find_map(|one| url_length(rest, *one))?;
        rest = &rest[separator..];
    }
    None
}

fn spelled_by(
    length_of: fn(&str, char) -> Option<usize>,
    text: &str,
    secret: &str,
) -> Option<usize> {
    let mut length = 0;
    for wanted in secret.chars() {
        length += length_of(&text[length..], wanted)?;
    }
    Some(length)
}

/// The length of what `text` begins with, if that is the character, in capitals or not.
fn plain_length(text: &str, wanted: char) -> Option<usize> {
    let found = text.chars().next()?;
    let is_it = match found.is_ascii() && wanted.is_ascii() {
        true => found.eq_ignore_ascii_case(&wanted),
        false => found.to_lowercase().eq(wanted.to_lowercase()),
    };
    is_it.then(|| found.len_utf8())
}

/// The same as a URL has it, which leaves many characters as they are.
fn url_length(text: &str, wanted: char) -> Option<usize> {
    let is_a_blank = wanted == ' ' && text.starts_with('+');
    encoded_length(text, wanted)
        .or(is_a_blank.then_some(1))
        .or_else(|| plain_length(text, wanted))
}

/// The same of a character that is written as `%` and two digits for each of its bytes.
fn encoded_length(text: &str, wanted: char) -> Option<usize> {
    let mut bytes = [0; 4];
    let mut rest = text;
    for byte in wanted.encode_utf8(&mut bytes).bytes() {
        let digits = rest.strip_prefix('%')?.get(..2)?;
        if u8::from_str_radix(digits, 16) != Ok(byte) {
            return None;
        }
        rest = &rest[3..];
    }
    Some(text.len() - rest.len())
}

fn ends_in_a_word(before: &str, shown: &str) -> bool {
    // The two digits of a `%2F` are no word.
    if let [.., b'%', high, low] = before.as_bytes()
        && high.is_ascii_hexdigit()
        && low.is_ascii_hexdigit()
    {
        return false;
    }
    let last = before.chars().next_back();
    let last = last.or_else(|| shown.chars().next_back());
    last.is_some_and(char::is_alphanumeric)
}

fn begins_with_a_word(after: &str) -> bool {
    after.chars().next().is_some_and(char::is_alphanumeric)
}
