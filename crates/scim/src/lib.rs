//! SCIM 2.0 as a pure library: resources, schemas, filter, path, PATCH, errors.
