//! Why what somebody typed cannot be taken: keys of texts.

use crate::auth;
use crate::form::Fields;
use crate::store::StoreError;

/// The text that tells why the store refused what somebody typed; `None` when it is no fault of theirs.
pub fn fault_key(error: &StoreError) -> Option<&'static str> {
    match error {
        StoreError::EmailTaken => Some("fault-email-taken"),
        StoreError::EmailInvalid => Some("fault-email-invalid"),
        StoreError::NameInvalid => Some("fault-name-invalid"),
        StoreError::GroupTaken => Some("fault-group-taken"),
        StoreError::GroupBuiltin => Some("fault-group-builtin"),
        StoreError::LastAdministrator => Some("fault-last-administrator"),
        _ => None,
    }
}

/// Why a new password, typed twice, cannot be taken: the text's key.
pub fn password_fault(fields: &Fields) -> Option<&'static str> {
    let password = fields.raw("password");
    if password.chars().count() < auth::MIN_PASSWORD {
        Some("password-short")
    } else if password.len() > auth::MAX_PASSWORD {
        Some("password-long")
    } else if password != fields.raw("again") {
        Some("password-differs")
    } else {
        None
    }
}
