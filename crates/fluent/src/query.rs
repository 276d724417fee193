//! The GraphQL texts. Values only ever travel as variables.

/// What we read of a user; the answer of a mutation has the same, so that it is a reading too.
macro_rules! user_fields {
    () => {
        "id username status firstName lastName primaryEmail roles{role{name}contexts{contextType contextId}}"
    };
}

pub(crate) const USER_FIELDS: &str = user_fields!();

/// The key of every query's one root field.
pub(crate) const RESULT: &str = "result";

pub(crate) const ME: &str = concat!("query Me{result:me{", user_fields!(), "}}");

pub(crate) const USER_BY_NAME: &str = concat!(
    "query User($username:String){result:user(username:$username){",
    user_fields!(),
    "}}"
);

pub(crate) const USER_BY_ID: &str = concat!(
    "query UserById($id:ID!){result:userById(id:$id){",
    user_fields!(),
    "}}"
);

macro_rules! search {
    ($name:literal, $node:expr) => {
        concat!(
            "query Search($first:Int,$after:String){result:",
            $name,
            "(first:$first,after:$after){edges{cursor node{",
            $node,
            "}}pageInfo{hasNextPage}}}"
        )
    };
}

pub(crate) const USERS: &str = search!("users", user_fields!());
pub(crate) const ROLES: &str = search!("roles", "id name");
pub(crate) const RETAILERS: &str = search!("retailers", "id ref status");
pub(crate) const LOCATIONS: &str = search!("locations", "id ref status retailer{id}");

/// The fields of both root types.
pub(crate) const SCHEMA: &str =
    "query Schema{result:__schema{queryType{fields{name}}mutationType{fields{name}}}}";
