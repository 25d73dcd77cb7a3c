package engine

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/patchbay/patchbay/guest/agent"
)

// iptables is what both families have, “-t nat” in front where it is not filter.
func (a *asker) iptables() ([]string, error) {
	var list []string
	for _, name := range []string{"iptables-save", "ip6tables-save", "iptables-legacy-save", "ip6tables-legacy-save"} {
		res, err := a.run(agent.Exec{Args: []string{name}})
		if err != nil {
			return nil, err
		}
		if res.Code == 0 {
			for _, line := range parseIptables(string(res.Stdout)) {
				if !slices.Contains(list, line) {
					list = append(list, line)
				}
			}
		}
	}
	return list, nil
}

func parseIptables(text string) []string {
	var list []string
	table := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		prefix := ""
		if table != "" && table != "filter" {
			prefix = "-t " + table + " "
		}
		switch {
		case strings.HasPrefix(line, "*"):
			table = line[1:]
		case strings.HasPrefix(line, ":"):
			if f := strings.Fields(line[1:]); len(f) > 1 && f[1] != "-" {
				list = append(list, prefix+"-P "+f[0]+" "+f[1])
			}
		case strings.HasPrefix(line, "-A "):
			list = append(list, prefix+line)
		}
	}
	return list
}

// normalRule makes rules alike that say the same: the order of options, modules
// that a protocol brings with it, /32, and short or long names.
func normalRule(s string) string {
	long := map[string]string{"--protocol": "-p", "--source": "-s", "--src": "-s", "--destination": "-d", "--dst": "-d", "--in-interface": "-i",
		"--out-interface": "-o", "--jump": "-j", "--append": "-A", "--policy": "-P", "--table": "-t", "--destination-port": "--dport",
		"--source-port": "--sport", "--match": "-m", "--state": "--ctstate"}
	var options []string
	at := ""
	for _, f := range strings.Fields(s) {
		if short := long[f]; short != "" {
			f = short
		}
		if strings.HasPrefix(f, "-") || f == "!" {
			if at != "" && at != "!" {
				options = append(options, at)
				at = ""
			}
			at = strings.TrimSpace(at + " " + f)
			continue
		}
		if p, err := netip.ParsePrefix(f); err == nil && p.IsSingleIP() {
			f = p.Addr().String()
		}
		if strings.Contains(at, "--ctstate") {
			states := strings.Split(f, ",")
			slices.Sort(states)
			f = strings.Join(states, ",")
		}
		at += " " + f
	}
	options = append(options, at)
	options = slices.DeleteFunc(options, func(o string) bool {
		return o == "" || o == "-t filter" || slices.Contains([]string{"-m tcp", "-m udp", "-m icmp", "-m conntrack", "-m state", "-m icmp6"}, o)
	})
	slices.Sort(options)
	return strings.Join(options, " ")
}
