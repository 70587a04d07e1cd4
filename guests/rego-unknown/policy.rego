# Asks for functions that Wharf does not give: it is refused when it is loaded.
package unknown

import rego.v1

allow if http.send({"method": "GET", "url": "http://example.com"}).status_code == 200

addresses := net.lookup_ip_addr("example.com")

text := sprintf("%v", [input])
