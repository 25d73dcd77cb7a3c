package kathara

import (
	"bytes"
	"regexp"
	"strings"
)

// goneRE are options that BIND 9.18 no longer has: with one it does not start.
var goneRE = regexp.MustCompile(`^\s*(dnssec-enable|dnssec-lookaside|filter-aaaa(?:-on-v[46])?|cleaning-interval|additional-from-(?:auth|cache)|acache-[a-z-]+|queryport-pool(?:-ports)?|use-id-pool|geoip-use-ecs|use-alt-transfer-source|nosit-udp-size|request-sit|sit-secret)\s[^;{}]*;\s*(//.*|#.*)?$`)

// mendBIND takes those options out of a configuration of BIND's.
func (c *converter) mendBIND(name, target string, data []byte) []byte {
	if !strings.HasPrefix(target, "etc/bind/named.conf") || !bytes.Contains(data, []byte(";")) {
		return data
	}
	lines := strings.Split(string(data), "\n")
	for i, line := range lines {
		if m := goneRE.FindStringSubmatch(line); m != nil {
			lines[i] = "// " + line
			c.note(name, i+1, "%s is no longer an option of BIND (9.18 here), which would not start with it: the line is a comment now.", m[1])
		}
	}
	return []byte(strings.Join(lines, "\n"))
}
