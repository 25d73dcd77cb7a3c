package kathara

import (
	"regexp"
	"strings"
)

// goneFromBIND are options of older BINDs, which the labs for 9.11 set and 9.18
// refuses to start with. All of them turn something off that is not there.
var goneFromBIND = regexp.MustCompile(`^\s*(dnssec-enable|dnssec-lookaside|filter-aaaa(-on-v[46])?|additional-from-(auth|cache)|acache-[a-z-]+|request-sit|nosit-udp-size|use-id-pool|queryport-pool)\s[^;{}]*;\s*$`)

// newerBIND makes comments of options that BIND has no longer; their lines are
// told.
func newerBIND(data []byte, told func(line int, option string)) []byte {
	lines := strings.SplitAfter(string(data), "\n")
	for i, line := range lines {
		if m := goneFromBIND.FindStringSubmatch(strings.TrimRight(line, "\r\n")); m != nil {
			lines[i] = "// " + line
			told(i+1, m[1])
		}
	}
	return []byte(strings.Join(lines, ""))
}
