// Adds a header to each request and response, takes `x-powered-by` away, and can require a header of each request.
//
// The configuration is text, all lines optional:
//
//     header x-greeting: hello
//     require x-api-key

export * from "@solo-io/proxy-runtime/proxy";
import {
  Context,
  Counter,
  FilterHeadersStatusValues,
  GrpcStatusValues,
  HeaderPair,
  LogLevelValues,
  RootContext,
  log,
  registerRootContext,
  send_local_response,
  stream_context,
} from "@solo-io/proxy-runtime";
import { BufferTypeValues, get_buffer_bytes } from "@solo-io/proxy-runtime/runtime";

class Config {
  header: string = "x-greeting";
  value: string = "hello";
  // Requests without this header are refused. Empty: none are.
  require: string = "";

  // Gives what is wrong, or an empty text.
  parse(text: string): string {
    const lines = text.split("\n");
    for (let at = 0; at < lines.length; at++) {
      const line = lines[at].trim();
      const wrong = line.length > 0 ? this.parseLine(line) : "";
      if (wrong.length > 0) return "line " + (at + 1).toString() + ": " + wrong;
    }
    return "";
  }

  private parseLine(line: string): string {
    if (line.startsWith("header ")) {
      const colon = line.indexOf(":");
      if (colon < 0) return "`header` needs NAME: VALUE";
      this.header = line.substring("header ".length, colon).trim();
      this.value = line.substring(colon + 1).trim();
      if (!isHeaderName(this.header)) return "`header` needs NAME: VALUE";
      return hasControlCharacter(this.value) ? "the value has a control character" : "";
    }
    if (line.startsWith("require ")) {
      this.require = line.substring("require ".length).trim();
      return isHeaderName(this.require) ? "" : "`require` needs the name of a header";
    }
    return "a line begins with `header` or `require`";
  }
}

function isHeaderName(name: string): bool {
  const mayStand = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  for (let at = 0; at < name.length; at++) {
    if (!mayStand.includes(name.charAt(at))) return false;
  }
  return name.length > 0;
}

function hasControlCharacter(text: string): bool {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x20 || code == 0x7f) return true;
  }
  return false;
}

// One for each place in the proxy's configuration that names the filter. It lives as long as that.
class Plugin extends RootContext {
  config: Config = new Config();
  refused: Counter = new Counter("my_filter_refused");

  // The SDK's own `onConfigure` must not be called: it gives the host the configuration's size as an address to write to.
  onConfigure(size: u32): bool {
    let text = "";
    if (size > 0) {
      text = String.UTF8.decode(get_buffer_bytes(BufferTypeValues.PluginConfiguration, 0, size));
    }
    const wrong = this.config.parse(text);
    if (wrong.length > 0) {
      log(LogLevelValues.error, "the configuration is refused: " + wrong);
      return false;
    }
    log(LogLevelValues.info, "adds " + this.config.header + ": " + this.config.value);
    return true;
  }

  createContext(id: u32): Context {
    return new Stream(id, this);
  }
}

// One for each request.
class Stream extends Context {
  plugin: Plugin;

  constructor(id: u32, plugin: Plugin) {
    super(id, plugin);
    this.plugin = plugin;
  }

  onRequestHeaders(_count: u32, _end_of_stream: bool): FilterHeadersStatusValues {
    const config = this.plugin.config;
    if (config.require.length > 0 && stream_context.headers.request.get(config.require).length == 0) {
      this.plugin.refused.increment(1);
      const type = new HeaderPair(String.UTF8.encode("content-type"), String.UTF8.encode("text/plain"));
      const body = String.UTF8.encode("this needs the header " + config.require + "\n");
      send_local_response(401, "my_filter_header_missing", body, [type], GrpcStatusValues.InvalidCode);
      return FilterHeadersStatusValues.StopIteration;
    }
    stream_context.headers.request.add(config.header, config.value);
    return FilterHeadersStatusValues.Continue;
  }

  onResponseHeaders(_count: u32, _end_of_stream: bool): FilterHeadersStatusValues {
    stream_context.headers.response.add(this.plugin.config.header, this.plugin.config.value);
    stream_context.headers.response.remove("x-powered-by");
    return FilterHeadersStatusValues.Continue;
  }
}

registerRootContext((id: u32) => new Plugin(id), "");
