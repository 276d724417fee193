//! Secrets: from the environment or from a file, never from the configuration file, never shown.

use std::path::Path;

use rollcall_ingest::ACCESS_TOKEN_PREFIX;
use secrecy::{ExposeSecret as _, SecretString};

use super::Environment;
use super::section::Section;
use super::values::read_text;

/// A secret above this is not one.
const SECRET_BYTES_MAX: u64 = 64 * 1024;
/// A bearer token that others choose for us is guessable below this many characters.
const TOKEN_CHARS_MIN: usize = 16;

/// Reads `<name>_env` or `<name>_file` of a section. `None` after a problem was noted.
pub(super) fn read(
    section: &Section<'_>,
    name: &str,
    env: Environment<'_>,
    folder: &Path,
) -> Option<SecretString> {
    let (env_key, file_key) = (format!("{name}_env"), format!("{name}_file"));
    let (variable, file) = (section.text(&env_key), section.text(&file_key));
    match (variable, file) {
        (Some(_), Some(_)) => {
            section.wrong(
                &file_key,
                format!("stands beside {env_key}"),
                Some("only one of the two".to_owned()),
            );
            None
        }
        (None, None) => {
            if !section.has(&env_key) && !section.has(&file_key) {
                let expected = format!("{env_key} = \"VARIABLE\" or {file_key} = \"path\"");
                section.missing(&env_key, Some(expected));
            }
            None
        }
        (Some(variable), None) if !is_variable(&variable) => {
            // It may be the secret itself: not repeated.
            let expected = "the name of an environment variable, of A-Z, 0-9 and _".to_owned();
            section.wrong(&env_key, "is no name of an environment variable", Some(expected));
            None
        }
        (Some(variable), None) => {
            let value = env(&variable).filter(|value| !value.trim().is_empty());
            if value.is_none() {
                section.wrong(
                    &env_key,
                    format!("the environment variable {variable} is not set, or empty"),
                    None,
                );
            }
            value.map(|value| SecretString::from(value.trim().to_owned()))
        }
        (None, Some(file)) => match from_file(&folder.join(file)) {
            Ok(secret) => Some(secret),
            Err(what) => {
                section.wrong(&file_key, what, None);
                None
            }
        },
    }
}

/// The same where it need not be there: `Some(None)` when it is not. Unless `wanted` the keys are looked at, but not
/// where they lead.
pub(super) fn read_if_any(
    section: &Section<'_>,
    name: &str,
    wanted: bool,
    env: Environment<'_>,
    folder: &Path,
) -> Option<Option<SecretString>> {
    let (env_key, file_key) = (format!("{name}_env"), format!("{name}_file"));
    let given = [&env_key, &file_key].into_iter().any(|key| section.has(key));
    if wanted && given {
        return read(section, name, env, folder).map(Some);
    }
    // Both are read, so that both are checked.
    let (variable, file) = (section.text(&env_key), section.text(&file_key));
    (!given || variable.is_some() || file.is_some()).then_some(None)
}

/// A bearer token by `token_env` or `token_file` of a section, checked. `None` after a problem was noted.
pub(super) fn read_token(section: &Section<'_>, env: Environment<'_>, folder: &Path) -> Option<SecretString> {
    let token = read(section, "token", env, folder)?;
    let from = if section.has("token_env") {
        "token_env"
    } else {
        "token_file"
    };
    if token.expose_secret().starts_with(ACCESS_TOKEN_PREFIX) {
        section.wrong(
            from,
            format!("the token that it leads to begins with {ACCESS_TOKEN_PREFIX}, as access tokens of this server do"),
            Some("a token of another beginning: this one would never open anything".to_owned()),
        );
    }
    if !is_token(&token) {
        let expected =
            format!("at least {TOKEN_CHARS_MIN} characters of ASCII without spaces, best made at random");
        section.wrong(
            from,
            "the token that it leads to is too short, or cannot stand in a header",
            Some(expected),
        );
    }
    Some(token)
}

fn is_variable(name: &str) -> bool {
    let first = name.bytes().next().unwrap_or_default();
    let all = name
        .bytes()
        .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    all && !first.is_ascii_digit()
}

fn from_file(path: &Path) -> Result<SecretString, String> {
    let text = read_text(path, SECRET_BYTES_MAX)?;
    if text.trim().is_empty() {
        return Err(format!("{} is empty", path.display()));
    }
    Ok(SecretString::from(text.trim().to_owned()))
}

/// True when a bearer token is long enough and can stand in a header.
fn is_token(secret: &SecretString) -> bool {
    let text = secret.expose_secret();
    text.chars().count() >= TOKEN_CHARS_MIN && text.bytes().all(|byte| byte.is_ascii_graphic())
}
