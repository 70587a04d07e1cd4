//! Puts one HTTP exchange through a proxy-wasm filter, with no proxy and no network.
#![expect(
    clippy::print_stdout,
    reason = "showing something is all that this program does"
)]

mod host;

use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use wharf_abi_proxy_wasm::{
    Chain, ChainLimits, Direction, Exchange, Filter, HeaderList, Namespace, Output, PluginContext, Program,
    Shared, SharedVm, Vm, VmSettings,
};
use wharf_engine::{Engine, EngineSettings};
use wharf_loader::Loader;
use wharf_plugin::{PluginName, PluginSpec, Reference};

use self::host::PrintingHost;

/// The filter: it adds a header to each request and to each response.
const FILTER: &str = "guests/rust-headers/rust-headers.wasm";
/// What the filter is configured with.
const CONFIGURATION: &str = r#"{"header": "x-greeting", "value": "hello"}"#;

fn main() -> Result<(), Box<dyn Error>> {
    let filter = start_filter()?;
    let exchange = Rc::new(RefCell::new(Exchange::new(Box::new(()))));
    let mut chain = Chain::new([Ok(filter)], exchange, ChainLimits::default());

    println!("The client sends a request.");
    let request = [
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "example.com"),
        (":path", "/"),
    ];
    chain.headers(Direction::Request, request.into_iter().collect(), true);
    show_outputs(&mut chain);

    println!("The upstream answers.");
    let response: HeaderList = [(":status", "200"), ("content-type", "text/plain")]
        .into_iter()
        .collect();
    chain.headers(Direction::Response, response, false);
    chain.data(Direction::Response, Bytes::from_static(b"hi\n"), true);
    show_outputs(&mut chain);
    Ok(())
}

/// Loads the filter, starts a VM of it, and configures it in there.
fn start_filter() -> Result<Filter, Box<dyn Error>> {
    let name = PluginName::new("greet")?;
    let spec = PluginSpec::new(name.clone(), Reference::File(FILTER.into()));
    let engine = Engine::new(EngineSettings::default())?;
    let loaded = Loader::new(engine, Arc::new(())).load(&spec)?;
    let version = loaded
        .proxy_wasm()
        .ok_or("the module does not speak proxy-wasm")?;
    let program = Program::new(&loaded.module, version, &spec.limits)?;

    let settings = VmSettings {
        // Nobody else has this VM's shared data.
        namespace: Namespace::Private(loaded.digest.to_string()),
        vm_id: String::new(),
        configuration: Bytes::new(),
        environment: Vec::new(),
    };
    let mut vm = Vm::new(
        &program,
        settings,
        Box::new(PrintingHost::new()),
        Arc::new(Shared::default()),
    )?;
    let root = vm.add_plugin(PluginContext {
        name,
        root_id: String::new(),
        configuration: Bytes::from_static(CONFIGURATION.as_bytes()),
        allow_on_headers_stop_iteration: false,
    })?;
    Ok(Filter {
        vm: SharedVm::new(RefCell::new(vm)),
        root,
        on_fault: spec.on_fault,
    })
}

/// Shows what a proxy would now send, instead of sending it.
fn show_outputs(chain: &mut Chain) {
    while let Some(output) = chain.next_output() {
        match output {
            Output::Headers { direction, .. } => {
                println!("To the {}:", receiver(direction));
                let exchange = chain.exchange().borrow();
                match direction {
                    Direction::Request => show_headers(exchange.request_headers.as_ref()),
                    Direction::Response => show_headers(exchange.response_headers.as_ref()),
                }
            }
            Output::Data { mut body, .. } => {
                while let Some(part) = body.pop() {
                    println!("    {}", String::from_utf8_lossy(&part).trim_end());
                }
            }
            Output::Trailers { direction } => println!("To the {}: trailers", receiver(direction)),
            Output::Answered { details } => println!("A filter has answered: {details}"),
            Output::Reset(reason) => println!("The exchange is broken off: {reason:?}"),
        }
    }
}

fn receiver(direction: Direction) -> &'static str {
    match direction {
        Direction::Request => "upstream",
        Direction::Response => "client",
    }
}

fn show_headers(headers: Option<&HeaderList>) {
    for (name, value) in headers.into_iter().flat_map(HeaderList::iter) {
        println!("    {name}: {}", String::from_utf8_lossy(value.as_bytes()));
    }
}
