//! What one app role means: its split, its place, its Fluent roles, or why it is held.

use std::sync::OnceLock;

use rollcall_domain::{AppRole, Context, ContextType, Grant, Hold, Note, RoleName, Shape, splits};
use smallvec::SmallVec;

use crate::fold::{GrantBook, GrantIx, StableHash, World};

/// How an app role becomes a grant; with the role's text it is a [`rollcall_domain::Expansion`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Direct,
    Rule,
    AlsoRetailer,
}

/// A grant that an app role leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expanded {
    pub(crate) grant: GrantIx,
    pub(crate) by: By,
    /// Stable hash of grant and expansion.
    pub(crate) hash: u64,
}

/// A hold, and its near miss once somebody asked for it.
#[derive(Debug, Clone)]
pub(crate) struct HeldReason {
    pub(crate) hold: Hold,
    pub(crate) near: OnceLock<Option<String>>,
}

/// What an app role leads to under some condition.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcome {
    pub(crate) grants: Vec<Expanded>,
    /// What is kept where it is owned: places or roles that vanished, or readings that are ambiguous.
    pub(crate) retained: Vec<GrantIx>,
    pub(crate) holds: Vec<HeldReason>,
    pub(crate) notes: Vec<Note>,
}

/// What an app role means.
#[derive(Debug, Clone, Default)]
pub(crate) struct Resolution {
    /// It has the convention's shape; anything else is no role at all.
    pub(crate) convention: bool,
    /// Some reading has a place that is or was in the catalog: what a display name needs to count.
    pub(crate) place_known: bool,
    /// Its last part.
    pub(crate) last_part: Box<str>,
    /// What its rules say, each with the logical role that must be held too.
    pub(crate) rules: Vec<(Option<Box<str>>, Outcome)>,
    /// What it means when no rule applies.
    pub(crate) direct: Outcome,
}

impl Resolution {
    /// The outcomes for somebody who holds what `holds` says.
    pub(crate) fn outcomes(&self, holds: impl Fn(&str) -> bool) -> SmallVec<[&Outcome; 2]> {
        let applies = |condition: &Option<Box<str>>| condition.as_deref().is_none_or(&holds);
        let active: SmallVec<[&Outcome; 2]> = self
            .rules
            .iter()
            .filter(|(condition, _)| applies(condition))
            .map(|(_, outcome)| outcome)
            .collect();
        if active.is_empty() {
            smallvec::smallvec![&self.direct]
        } else {
            active
        }
    }
}

impl Resolution {
    /// Whether somebody may hold less when this meaning gives way to `new`. Where rules ask for other roles
    /// (`conditional`), what this app role's last part is decides about others' too.
    pub(crate) fn may_take(&self, new: &Self, conditional: bool) -> bool {
        if self.place_known && !new.place_known {
            return true; // a display name that is no app role any more
        }
        if !conditional {
            let (mut before, mut after) = (Vec::new(), Vec::new());
            self.plain_outcomes(&mut |outcome| before.extend(outcome.held()));
            new.plain_outcomes(&mut |outcome| after.extend(outcome.held()));
            return lacks(&before, after);
        }
        self.last_part != new.last_part
            || self.place_known != new.place_known
            || self.rules.len() != new.rules.len()
            || lacks(
                &self.direct.held().collect::<Vec<_>>(),
                new.direct.held().collect(),
            )
            || self.rules.iter().zip(&new.rules).any(|(old, new)| {
                old.0 != new.0 || lacks(&old.1.held().collect::<Vec<_>>(), new.1.held().collect())
            })
    }

    /// The outcomes when no rule asks for another role.
    pub(crate) fn plain_outcomes<'s>(&'s self, look: &mut impl FnMut(&'s Outcome)) {
        if self.rules.is_empty() {
            look(&self.direct);
        }
        self.rules.iter().for_each(|(_, outcome)| look(outcome));
    }
}

/// One way to cut the text, and the places that its identifier leads to.
struct Reading<'t> {
    identifier: &'t str,
    role: &'t str,
    live: SmallVec<[Context; 2]>,
    ghosts: SmallVec<[Context; 2]>,
}

/// Reads an app role against rules and catalog.
pub(crate) fn resolve(app_role: &AppRole, world: &World<'_>, grants: &mut GrantBook) -> Resolution {
    match app_role.shape() {
        Shape::NotConvention => Resolution::default(),
        Shape::UnknownContextType(_) => {
            let mut resolution = Resolution {
                convention: true,
                ..Resolution::default()
            };
            resolution.direct.hold(Hold::UnknownContextType {
                app_role: app_role.clone(),
            });
            let parts = app_role.as_str().splitn(3, '_').nth(2).unwrap_or_default();
            resolution.last_part = parts.into();
            resolution
        }
        Shape::Scoped { kind, rest } => Resolver {
            app_role,
            kind,
            world,
            grants,
        }
        .run(rest),
    }
}

struct Resolver<'r> {
    app_role: &'r AppRole,
    kind: ContextType,
    world: &'r World<'r>,
    grants: &'r mut GrantBook,
}

impl Resolver<'_> {
    fn run(mut self, rest: &str) -> Resolution {
        let readings: Vec<Reading<'_>> = splits(rest).map(|(id, role)| self.read(id, role)).collect();
        let place_known = readings
            .iter()
            .any(|r| !r.live.is_empty() || !r.ghosts.is_empty());
        let mut resolution = Resolution {
            convention: true,
            place_known,
            ..Resolution::default()
        };
        let fits: Vec<&Reading<'_>> = readings
            .iter()
            .filter(|r| !r.live.is_empty() && self.is_known(r.role))
            .collect();
        if let [only] = fits.as_slice()
            && let [context] = only.live.as_slice()
        {
            resolution.last_part = only.role.into();
            self.expand(only.role, context, &mut resolution);
        } else if !fits.is_empty() {
            self.ambiguous(&fits, &mut resolution);
        } else {
            self.unresolved(&readings, &mut resolution);
        }
        resolution
    }

    fn read<'t>(&self, identifier: &'t str, role: &'t str) -> Reading<'t> {
        let context = |id: &str| Context {
            kind: self.kind,
            id: id.to_owned(),
        };
        if self.kind == ContextType::Account {
            let live = identifier == "0" || self.world.account_name == Some(identifier);
            let ghost = self.world.catalog.vanished.account_names.contains(identifier);
            let account = |is: bool| is.then(Context::account).into_iter().collect();
            return Reading {
                identifier,
                role,
                live: account(live),
                ghosts: account(ghost && !live),
            };
        }
        let live: SmallVec<[Context; 2]> = self
            .world
            .catalog
            .live(self.kind, identifier)
            .into_iter()
            .map(context)
            .collect();
        let ghosts = self
            .world
            .catalog
            .ghosts(self.kind, identifier)
            .into_iter()
            .map(context);
        let ghosts = ghosts.filter(|ghost| !live.contains(ghost)).collect();
        Reading {
            identifier,
            role,
            live,
            ghosts,
        }
    }

    /// A logical role, or a Fluent role.
    fn is_known(&self, role: &str) -> bool {
        self.world.rules.by_role.contains_key(role) || self.has_role(role)
    }

    fn has_role(&self, role: &str) -> bool {
        self.world
            .catalog
            .catalog
            .roles
            .contains(&RoleName(role.to_owned()))
    }

    fn had_role(&self, role: &str) -> bool {
        self.world
            .catalog
            .vanished
            .roles
            .contains(&RoleName(role.to_owned()))
    }

    /// The app role resolves to one place.
    fn expand(&mut self, role: &str, context: &Context, resolution: &mut Resolution) {
        for rule in self.world.rules.of_role(role) {
            let mut outcome = Outcome::default();
            for target in &rule.targets {
                self.target(&target.0, context, By::Rule, role, &mut outcome);
                if rule.also_retailer {
                    self.also_retailer(&target.0, context, role, &mut outcome);
                }
            }
            self.note_inactive(context, &mut outcome);
            resolution.rules.push((rule.condition.clone(), outcome));
        }
        let mut direct = Outcome::default();
        self.target(role, context, By::Direct, role, &mut direct);
        self.note_inactive(context, &mut direct);
        resolution.direct = direct;
    }

    fn target(&mut self, target: &str, context: &Context, by: By, role: &str, outcome: &mut Outcome) {
        if self.has_role(target) {
            let grant = self.grant(target, context);
            let hash = self.expansion_hash(by, role, grant);
            outcome.grants.push(Expanded { grant, by, hash });
        } else if self.had_role(target) {
            outcome.retained.push(self.grant(target, context));
            outcome.hold(Hold::Vanished {
                app_role: self.app_role.clone(),
            });
        } else {
            let role = RoleName(target.to_owned());
            outcome.hold(Hold::UnknownRole {
                app_role: self.app_role.clone(),
                role,
                near: None,
            });
        }
    }

    /// The same role for the retailer that owns the location.
    fn also_retailer(&mut self, target: &str, context: &Context, role: &str, outcome: &mut Outcome) {
        let Some(retailer) = self.owner(context) else {
            return;
        };
        if self.world.catalog.catalog.retailers.contains_key(&retailer.id) {
            if self.has_role(target) {
                self.target(target, &retailer, By::AlsoRetailer, role, outcome);
            } else if self.had_role(target) {
                outcome.retained.push(self.grant(target, &retailer));
            }
        } else if self.world.catalog.vanished.retailers.contains_key(&retailer.id) {
            outcome.retained.push(self.grant(target, &retailer));
            outcome.hold(Hold::Vanished {
                app_role: self.app_role.clone(),
            });
        } else {
            outcome.hold(Hold::UnknownPlace {
                app_role: self.app_role.clone(),
                context_type: ContextType::Retailer,
                identifier: retailer.id,
                near: None,
            });
        }
    }

    fn owner(&self, context: &Context) -> Option<Context> {
        let place = self.world.catalog.place(context.kind, &context.id)?;
        (context.kind == ContextType::Agent)
            .then(|| place.retailer.clone())?
            .map(|id| Context {
                kind: ContextType::Retailer,
                id,
            })
    }

    fn ambiguous(&mut self, fits: &[&Reading<'_>], resolution: &mut Resolution) {
        resolution.last_part = fits.first().map(|r| r.role).unwrap_or_default().into();
        let mut contexts = fits.iter().flat_map(|reading| reading.live.iter().cloned());
        if let (Some(first), Some(second)) = (contexts.next(), contexts.next()) {
            resolution.direct.hold(Hold::Ambiguous {
                app_role: self.app_role.clone(),
                first,
                second,
            });
        }
        for reading in fits {
            self.retain(reading, &mut resolution.direct);
        }
    }

    /// No reading has a place and a role that are both there now.
    fn unresolved(&mut self, readings: &[Reading<'_>], resolution: &mut Resolution) {
        let haunted: Vec<&Reading<'_>> = readings
            .iter()
            .filter(|r| !(r.live.is_empty() && r.ghosts.is_empty()))
            .filter(|r| self.is_known(r.role) || self.had_role(r.role))
            .collect();
        if let Some(first) = haunted.first() {
            resolution.last_part = first.role.into();
            resolution.direct.hold(Hold::Vanished {
                app_role: self.app_role.clone(),
            });
            for reading in haunted {
                self.retain(reading, &mut resolution.direct);
            }
            return;
        }
        let app_role = self.app_role.clone();
        if let Some(reading) = readings.iter().find(|r| !r.live.is_empty()) {
            resolution.last_part = reading.role.into();
            let role = RoleName(reading.role.to_owned());
            resolution.direct.hold(Hold::UnknownRole {
                app_role,
                role,
                near: None,
            });
        } else if let Some(reading) = readings
            .iter()
            .find(|r| self.is_known(r.role))
            .or_else(|| readings.first())
        {
            resolution.last_part = reading.role.into();
            resolution.direct.hold(Hold::UnknownPlace {
                app_role,
                context_type: self.kind,
                identifier: reading.identifier.to_owned(),
                near: None,
            });
        }
    }

    /// Everything that a reading meant or means is kept where it is owned.
    fn retain(&mut self, reading: &Reading<'_>, outcome: &mut Outcome) {
        let rules = self.world.rules.of_role(reading.role);
        for context in reading.live.iter().chain(&reading.ghosts) {
            if rules.is_empty() {
                outcome.retained.push(self.grant(reading.role, context));
            }
            for rule in rules {
                for target in &rule.targets {
                    outcome.retained.push(self.grant(&target.0, context));
                    if rule.also_retailer
                        && let Some(retailer) = self.owner(context)
                    {
                        outcome.retained.push(self.grant(&target.0, &retailer));
                    }
                }
            }
        }
        outcome.retained.sort_unstable();
        outcome.retained.dedup();
    }

    fn note_inactive(&self, context: &Context, outcome: &mut Outcome) {
        if self
            .world
            .catalog
            .place(context.kind, &context.id)
            .is_some_and(|place| !place.active)
        {
            outcome.notes.push(Note::InactivePlace {
                context: context.clone(),
            });
        }
    }

    fn grant(&mut self, role: &str, context: &Context) -> GrantIx {
        self.grants.index(Grant {
            role: RoleName(role.to_owned()),
            context: context.clone(),
        })
    }

    fn expansion_hash(&self, by: By, role: &str, grant: GrantIx) -> u64 {
        let hash = StableHash::new(4)
            .number(by as u64)
            .number(self.grants.hash(grant));
        if by == By::Direct {
            hash.finish()
        } else {
            hash.text(role).finish()
        }
    }
}

/// Whether something of `before` is not in `after`.
fn lacks(before: &[GrantIx], mut after: Vec<GrantIx>) -> bool {
    after.sort_unstable();
    before.iter().any(|grant| after.binary_search(grant).is_err())
}

impl Outcome {
    /// All that somebody may go on having by it.
    fn held(&self) -> impl Iterator<Item = GrantIx> + '_ {
        let grants = self.grants.iter().map(|expanded| expanded.grant);
        grants.chain(self.retained.iter().copied())
    }

    /// Adds a hold once.
    fn hold(&mut self, hold: Hold) {
        if !self.holds.iter().any(|held| held.hold == hold) {
            self.holds.push(HeldReason {
                hold,
                near: OnceLock::new(),
            });
        }
    }
}
