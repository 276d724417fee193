//! The OAuth clients of the configuration, as the door takes them.

use rollcall_ingest::{Client, ClientProof, OauthConfig, SigningKeys, TokenHash};

use crate::config::{Config, OauthProof};
use crate::keys::KeyStore;

/// Clients, and the keys of their access tokens, which follow from the tenants' own: with several processes every one
/// has them.
pub(super) fn config(config: &Config, keys: &KeyStore) -> anyhow::Result<OauthConfig> {
    let mut clients = Vec::new();
    for tenant in &config.tenants {
        for connection in &tenant.connections {
            for client in &connection.clients {
                clients.push(Client {
                    tenant: tenant.id.clone(),
                    connection: connection.name.clone(),
                    id: client.id.clone(),
                    proof: match &client.proof {
                        OauthProof::Secret(secret) => ClientProof::Secret(TokenHash::of(secret)?),
                        OauthProof::Keys(keys) => ClientProof::Keys(keys.clone()),
                    },
                    expires: client.expires,
                });
            }
        }
    }
    let tenants = keys.tenants().filter_map(|id| Some((id, keys.get(id)?)));
    Ok(OauthConfig {
        clients,
        lifetime: config.server.access_token_lifetime,
        keys: SigningKeys::of(tenants),
    })
}
