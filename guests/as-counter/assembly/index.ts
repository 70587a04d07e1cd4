// Counts the requests of its VM. The answer says which one it was, in the header `x-count`, and the counter metric
// `as_counter_requests` has the same number.
//
// The configuration is optional and free text: when there is one, it comes back in the header `x-count-label`.

export * from "@solo-io/proxy-runtime/proxy";
import {
  Context,
  Counter,
  FilterHeadersStatusValues,
  LogLevelValues,
  RootContext,
  log,
  registerRootContext,
  stream_context,
} from "@solo-io/proxy-runtime";
import { BufferTypeValues, get_buffer_bytes } from "@solo-io/proxy-runtime/runtime";

class CountRoot extends RootContext {
  label: string = "";
  count: u32 = 0;
  requests: Counter = new Counter("as_counter_requests");

  createContext(context_id: u32): Context {
    return new CountStream(context_id, this);
  }

  // The SDK's own `onConfigure` gives the host the size of the configuration in the place of a pointer, so that the
  // host's answer lands somewhere in the guest's static data. It is therefore not called.
  onConfigure(configuration_size: u32): bool {
    if (configuration_size > 0) {
      this.label = String.UTF8.decode(
        get_buffer_bytes(BufferTypeValues.PluginConfiguration, 0, configuration_size),
      );
    }
    log(LogLevelValues.info, "as-counter: configured, label '" + this.label + "'");
    return true;
  }
}

class CountStream extends Context {
  root: CountRoot;
  number: u32 = 0;

  constructor(context_id: u32, root: CountRoot) {
    super(context_id, root);
    this.root = root;
  }

  onRequestHeaders(_count: u32, _end_of_stream: bool): FilterHeadersStatusValues {
    this.root.count += 1;
    this.number = this.root.count;
    this.root.requests.increment(1);
    return FilterHeadersStatusValues.Continue;
  }

  onResponseHeaders(_count: u32, _end_of_stream: bool): FilterHeadersStatusValues {
    stream_context.headers.response.replace("x-count", this.number.toString());
    if (this.root.label.length > 0) {
      stream_context.headers.response.replace("x-count-label", this.root.label);
    }
    return FilterHeadersStatusValues.Continue;
  }
}

registerRootContext((context_id: u32) => new CountRoot(context_id), "");
