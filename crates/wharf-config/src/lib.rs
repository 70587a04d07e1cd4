//! The text of `wharf.yaml` to a fully checked [`Config`].
//!
//! [`load`] reads a file and [`parse`] a text. Either gives a configuration in which every name is defined, every
//! quantity has its unit and lies within its bounds, and no two sockets collide; or all that is wrong, each with line,
//! column, excerpt and hint.
//!
//! Each section of the file is one module, and one table in it describes its keys. From the tables come the decoder's
//! known keys, bounds and defaults, the JSON Schema ([`json_schema`]) and the reference ([`reference()`]), so that they
//! cannot disagree. Nothing else in Wharf knows YAML.

mod admission;
mod cache;
pub mod cases;
mod decode;
mod diagnostic;
mod hosts;
pub mod kubewarden;
mod listeners;
mod load;
mod nearest;
mod plugins;
mod proxy;
mod reference;
mod registries;
mod root;
mod routes;
mod scan;
mod schema;
mod source;
mod store;
mod table;
pub mod trivy;
mod trust;
mod upstreams;
mod yaml;

pub use admission::{AdmissionConfig, AdmissionTls, KubernetesConfig, OnBadPolicy, QueueConfig, TlsFiles};
pub use cache::CacheConfig;
pub use diagnostic::{ConfigErrors, Diagnostic, Excerpt, Location, Related, Severity};
pub use hosts::{HostPattern, HostPatternError};
pub use listeners::{HttpLimits, ListenerConfig};
pub use load::{Loaded, load, parse};
pub use proxy::{AccessLog, ProxyConfig};
pub use reference::reference;
pub use registries::{RegistriesConfig, RegistryAuthority, RegistryConfig};
pub use root::{AdminConfig, Config};
pub use routes::{FilterConfig, RouteConfig};
pub use scan::{
    ModuleFault, ModuleState, REPORT_FORMATS, SCAN_DEADLINE, SCAN_MEMORY, SEVERITIES, ScanCacheConfig,
    ScanConfig, ScanLimitsConfig, ScanModuleConfig,
};
pub use schema::json_schema;
pub use store::StoreConfig;
pub use trust::{
    LogConfig, SignaturesConfig, SignerConfig, SignerGroupConfig, SubjectConfig, TrustConfig, TrustDefault,
    TrustRule, WhoConfig,
};
pub use upstreams::{EndpointsConfig, UpstreamConfig};
pub use yaml::{to_yaml, to_yaml_documents};
