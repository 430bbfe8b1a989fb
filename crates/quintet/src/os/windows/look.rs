//! What an object that is a segment looks like to somebody who does not hold it.

use super::guard::Guard;
use super::object::{self, OWN};
use super::objects;
use super::process::Identity;
use super::segment::{self, Look};
use super::sync::look;
use crate::layout::Layout;
use crate::named::Liveness;
use crate::os::types::{Found, Owner};
use crate::{Error, ErrorKind, Name, Result, Scope};

pub(crate) type Seen = (Vec<Identity>, Vec<Owner>, u32);
pub(crate) type Details = Vec<(&'static str, String)>;

/// All objects of a kind in this session, and those for all sessions. What cannot be looked at, or has gone meanwhile, is left
/// out.
pub(crate) fn list(layout: &'static Layout, stat: impl Fn(&Name) -> Result<Found>) -> Result<Vec<Found>> {
    let begins = format!("{OWN}{}.", layout.scheme);
    let mut names: Vec<Name> = [Scope::Local, Scope::Global]
        .into_iter()
        .flat_map(|scope| {
            let prefix = match scope {
                Scope::Local => "",
                Scope::Global => scope.prefix(),
            };
            let begins = begins.clone();
            objects::list(scope)
                .into_iter()
                .filter(|object| object.kind == "Section")
                .filter_map(move |object| {
                    Name::new(format!("{prefix}{}", object.name.strip_prefix(&begins)?)).ok()
                })
        })
        .collect();
    names.sort();
    Ok(names.iter().filter_map(|name| stat(name).ok()).collect())
}

/// One object. `see` says who takes part, and what its kind knows.
pub(crate) fn stat(
    layout: &'static Layout,
    name: &Name,
    see: impl Fn(&Look) -> Result<(Seen, Details)>,
) -> Result<Found> {
    // While we look, nobody makes one: he would find what is left of this one.
    let _guard = Guard::to_look(&object::beside(layout.scheme, name));
    let look = segment::look(layout, name)?;
    if !look.is_held {
        return Err(object::not_there());
    }
    if let Err(error) = &look.check {
        return Err(Error::new(ErrorKind::Corrupt, error.to_string()));
    }
    let ((holders, owners, waiting), mut details) = see(&look)?;
    details.push(("waiting", waiting.to_string()));
    let mut found = look::found(name);
    look::mark_live(&mut found);
    debug_assert_eq!(found.liveness, Liveness::Live);
    (found.holders, found.owners, found.details) = (holders, owners, details);
    found.size = Some(look.size.saturating_add(look.data().map_or(0, |(_, size)| size)) as u64);
    found.created = look.header().created();
    Ok(found)
}

/// They go by themselves.
pub(crate) fn remove(layout: &'static Layout, name: &Name) -> Result<()> {
    if segment::look(layout, name)?.is_held {
        return Err(object::not_removable());
    }
    Err(object::not_there())
}
