//! Names of objects.

use crate::{Error, ErrorKind, Result};
use std::fmt;
use std::str::FromStr;

/// The longest name, in bytes of UTF-8 (without a `Local\` or `Global\` prefix).
const MAX_LEN: usize = 200;

const RULE: &str = "a name is 1 to 200 bytes of UTF-8 without '/', '\\', NUL or a leading dot";

/// The name of an object: 1 to 200 bytes of UTF-8 without `/`, `\`, NUL or a leading dot, optionally after `Local\` or
/// `Global\` as on Windows.
///
/// Names are case-sensitive, except that Windows ignores case in pipe names.
///
/// ```
/// use quintet::{Name, Scope};
///
/// let name: Name = "TestPipe".parse()?;
/// assert_eq!(name.as_str(), "TestPipe");
/// let global = Name::new(r"Global\camera")?;
/// assert_eq!((global.scope(), global.base()), (Some(Scope::Global), "camera"));
/// assert!(Name::new("../etc/passwd").is_err());
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    text: String,
    scope: Option<Scope>,
}

/// The kernel namespace that a Windows program asked for in front of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// `Local\`: the caller's logon session. The default.
    Local,
    /// `Global\`: all sessions of the machine.
    Global,
}

impl Scope {
    /// What stands before the name, backslash included.
    pub fn prefix(self) -> &'static str {
        match self {
            Scope::Local => r"Local\",
            Scope::Global => r"Global\",
        }
    }
}

impl Name {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidName`] when it breaks the rule, [`ErrorKind::TooLarge`] when it is too long.
    pub fn new(name: impl Into<String>) -> Result<Self> {
        let text = name.into();
        let scope = [Scope::Local, Scope::Global]
            .into_iter()
            .find(|scope| text.starts_with(scope.prefix()));
        let base = &text[scope.map_or(0, |scope| scope.prefix().len())..];
        let complaint = if base.is_empty() {
            Some("is empty".to_string())
        } else if base.starts_with('.') {
            Some("begins with a dot".to_string())
        } else {
            base.chars()
                .find(|c| matches!(c, '/' | '\\' | '\0'))
                .map(|c| format!("contains {c:?}"))
        };
        if let Some(complaint) = complaint {
            return Err(
                Error::new(ErrorKind::InvalidName, format!("the name {text:?} {complaint}")).hint(RULE),
            );
        }
        if base.len() > MAX_LEN {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!("the name {text:?} has {} bytes", base.len()),
            )
            .hint(RULE));
        }
        Ok(Name { text, scope })
    }

    /// The whole name, a `Local\` or `Global\` included.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The name without `Local\` or `Global\`.
    pub fn base(&self) -> &str {
        &self.text[self.scope.map_or(0, |scope| scope.prefix().len())..]
    }

    /// The namespace that was asked for in front of the name.
    pub fn scope(&self) -> Option<Scope> {
        self.scope
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Name {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Name::new(name)
    }
}

impl TryFrom<&str> for Name {
    type Error = Error;

    fn try_from(name: &str) -> Result<Self> {
        Name::new(name)
    }
}

impl TryFrom<String> for Name {
    type Error = Error;

    fn try_from(name: String) -> Result<Self> {
        Name::new(name)
    }
}

impl TryFrom<&String> for Name {
    type Error = Error;

    fn try_from(name: &String) -> Result<Self> {
        Name::new(name.as_str())
    }
}

impl TryFrom<&Name> for Name {
    type Error = Error;

    fn try_from(name: &Name) -> Result<Self> {
        Ok(name.clone())
    }
}

impl From<std::convert::Infallible> for Error {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_rule_forbids_is_refused() {
        for bad in [
            "",
            ".",
            ".hidden",
            "a/b",
            r"a\b",
            "a\0b",
            r"Local\",
            r"Global\.x",
            r"Session\x",
            r"Local\Local\x",
        ] {
            let error = Name::new(bad).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidName, "{bad:?}");
        }
        assert_eq!(
            Name::new("x".repeat(201)).unwrap_err().kind(),
            ErrorKind::TooLarge
        );
    }

    #[test]
    fn what_the_rule_allows_is_taken() {
        let longest = "x".repeat(200);
        let longest_local = format!(r"Local\{longest}");
        for good in [
            "a",
            "TestPipe",
            "0",
            "a.b",
            "成功",
            "a b",
            "x?y&z=%",
            longest.as_str(),
            longest_local.as_str(),
        ] {
            assert_eq!(Name::new(good).unwrap().as_str(), good);
        }
        assert_eq!(
            Name::new("local\u{5c}x").unwrap_err().kind(),
            ErrorKind::InvalidName
        );
    }
}
