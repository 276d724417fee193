//! What identity providers do to a world: each act goes over HTTP, and into the model once it was acknowledged.

use super::harness::World;
use super::idp::{Dialect, Idp, named};
use super::model::{Group, Person};

fn set(roles: &[&str]) -> std::collections::BTreeSet<String> {
    roles.iter().map(|role| (*role).to_owned()).collect()
}

impl World {
    pub(crate) fn idp(&self, dialect: Dialect) -> &Idp {
        match dialect {
            Dialect::Entra => &self.entra,
            Dialect::Okta => &self.okta,
        }
    }

    /// Creates a user of this short name; its id.
    pub(crate) async fn hire(&mut self, dialect: Dialect, name: &str, roles: &[&str]) -> String {
        let user_name = named(name);
        let id = self.idp(dialect).hire(&user_name, roles).await;
        self.note_hired(&id, &user_name, roles);
        id
    }

    pub(crate) fn note_hired(&mut self, id: &str, user_name: &str, roles: &[&str]) {
        let person = Person {
            user_name: user_name.to_owned(),
            active: true,
            roles: set(roles),
        };
        self.model.people.insert(id.to_owned(), person);
    }

    /// Creates users of these short names, some at a time as providers do; their ids in order.
    pub(crate) async fn hire_all(
        &mut self,
        dialect: Dialect,
        names: &[String],
        roles: &[&str],
    ) -> Vec<String> {
        const AT_A_TIME: usize = 4;
        let mut ids = Vec::new();
        for some in names.chunks(AT_A_TIME) {
            let mut tasks = Vec::new();
            for name in some {
                let (idp, user_name) = (self.idp(dialect).clone(), named(name));
                let roles: Vec<String> = roles.iter().map(|role| (*role).to_owned()).collect();
                tasks.push(tokio::spawn(async move {
                    let roles: Vec<&str> = roles.iter().map(String::as_str).collect();
                    idp.hire(&user_name, &roles).await
                }));
            }
            for (task, name) in tasks.into_iter().zip(some) {
                let id = task.await.unwrap();
                self.note_hired(&id, &named(name), roles);
                ids.push(id);
            }
        }
        ids
    }

    pub(crate) async fn set_active(&mut self, dialect: Dialect, id: &str, active: bool) {
        self.idp(dialect).set_active(id, active).await;
        self.model.people.get_mut(id).unwrap().active = active;
    }

    pub(crate) async fn set_roles(&mut self, dialect: Dialect, id: &str, roles: &[&str]) {
        self.idp(dialect).set_roles(id, roles).await;
        self.model.people.get_mut(id).unwrap().roles = set(roles);
    }

    /// Deletes a user.
    pub(crate) async fn fire(&mut self, dialect: Dialect, id: &str) {
        self.idp(dialect).delete("/Users", id).await;
        let person = self.model.people.remove(id).unwrap();
        self.model.gone.insert(person.user_name);
        for group in self.model.groups.values_mut() {
            group.members.remove(id);
        }
    }

    pub(crate) async fn rename(&mut self, dialect: Dialect, id: &str, name: &str) {
        self.idp(dialect).rename(id, &named(name)).await;
        let person = self.model.people.get_mut(id).unwrap();
        let old = std::mem::replace(&mut person.user_name, named(name));
        self.model.gone.insert(old);
    }

    pub(crate) async fn make_group(&mut self, dialect: Dialect, name: &str, roles: &[&str]) -> String {
        let id = self.idp(dialect).make_group(name, roles).await;
        let group = Group {
            roles: set(roles),
            ..Group::default()
        };
        self.model.groups.insert(id.clone(), group);
        id
    }

    pub(crate) async fn set_group_roles(&mut self, dialect: Dialect, group: &str, roles: &[&str]) {
        self.idp(dialect).set_group_roles(group, roles).await;
        self.model.groups.get_mut(group).unwrap().roles = set(roles);
    }

    pub(crate) async fn add_members(&mut self, dialect: Dialect, group: &str, members: &[String]) {
        self.idp(dialect).add_members(group, members).await;
        self.model
            .groups
            .get_mut(group)
            .unwrap()
            .members
            .extend(members.iter().cloned());
    }

    pub(crate) async fn remove_member(&mut self, dialect: Dialect, group: &str, member: &str) {
        self.idp(dialect).remove_member(group, member).await;
        self.model.groups.get_mut(group).unwrap().members.remove(member);
    }

    /// Deletes a group; its members stay where they are.
    pub(crate) async fn drop_group(&mut self, dialect: Dialect, group: &str) {
        self.idp(dialect).delete("/Groups", group).await;
        self.model.groups.remove(group);
        for other in self.model.groups.values_mut() {
            other.members.remove(group);
        }
    }
}

/// Short names `prefix-1` to `prefix-N`.
pub(crate) fn names(prefix: &str, count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("{prefix}-{number}")).collect()
}
