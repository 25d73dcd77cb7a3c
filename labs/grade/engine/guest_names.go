package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/patchbay/patchbay/guest/agent"
	"github.com/patchbay/patchbay/labs/grade"
)

// dnsAnswer is what dig prints of an answer.
type dnsAnswer struct {
	status  string
	flags   []string
	records []dnsRecord
}

type dnsRecord struct{ name, kind, data string }

func evalNames(ctx context.Context, t Target, k *grade.Names) (verdict, error) {
	return ask(ctx, t, k.Node, func(a *asker) (bool, string, error) {
		server := k.Server
		var d differences
		if server == "" || k.Resolver != "" {
			// The student's, for the image's own names none.
			res, err := a.run(agent.Exec{Args: []string{"cat", "/student/etc/resolv.conf"}})
			if err != nil {
				return false, "", err
			}
			own := parseResolver(string(res.Stdout))
			if own == "" && (server == "" || k.Resolver != "") {
				return false, a.name + " has no name server in /etc/resolv.conf", nil
			}
			if k.Resolver != "" && !sameAddr(k.Resolver, own) {
				d.add("%s asks %s for names", a.name, own)
			}
			if server == "" {
				server = own
			}
		}
		if k.Name == "" {
			return d.result(a.name + " asks " + server + " for names")
		}
		kind := strings.ToUpper(k.Type)
		if kind == "" {
			kind = "A"
		}
		args := []string{"dig", "-r", "+tries=2", "+time=2", "+nocookie", "@" + server, "-q", k.Name, "-t", kind}
		if kind == "PTR" && !strings.HasSuffix(strings.Trim(k.Name, "."), ".arpa") {
			args = []string{"dig", "-r", "+tries=2", "+time=2", "+nocookie", "@" + server, "-x", k.Name}
		}
		res, err := a.run(agent.Exec{Args: args})
		if err != nil {
			return false, "", err
		}
		answer, ok := parseDig(string(res.Stdout))
		if !ok {
			return false, server + " did not answer " + a.name, nil
		}
		want := strings.ToUpper(k.Status)
		if want == "" {
			want = "NOERROR"
		}
		if answer.status != want {
			d.add("the answer was %s", answer.status)
		}
		d.wantBool(k.Authoritative, slices.Contains(answer.flags, "aa"), server+" has authority for "+k.Name, server+" has no authority for "+k.Name)
		d.wantBool(k.Recursion, slices.Contains(answer.flags, "ra"), server+" offers recursion", server+" offers no recursion")
		var have []string
		for _, r := range answer.records {
			if r.kind == kind || kind == "ANY" {
				have = append(have, r.data)
			}
		}
		slices.Sort(have) // a server turns them round from answer to answer
		missing := slices.ContainsFunc(k.Answers, func(want string) bool {
			return !slices.ContainsFunc(have, func(h string) bool { return sameData(want, h) })
		})
		extra := k.Only && slices.ContainsFunc(have, func(h string) bool {
			return !slices.ContainsFunc(k.Answers, func(want string) bool { return sameData(want, h) })
		})
		if oneOf := k.OneOf; len(oneOf) > 0 {
			listed := func(h string) bool {
				return slices.ContainsFunc(oneOf, func(want string) bool { return sameData(want, h) })
			}
			missing = missing || len(have) == 0 || !slices.ContainsFunc(have, listed)
			extra = extra || slices.ContainsFunc(have, func(h string) bool { return !listed(h) })
		}
		if missing || extra {
			d.add("the answer holds %s", several(have, "nothing"))
		}
		if len(k.Hosts) > 0 {
			if err := a.compareHosts(&d, k.Hosts, server, have); err != nil {
				return false, "", err
			}
		}
		return d.result("the answer holds " + several(have, "nothing"))
	})
}

// compareHosts asks the server for the addresses of the names in an answer.
func (a *asker) compareHosts(d *differences, wanted []string, server string, data []string) error {
	const most = 8 // a server may name any number
	var have []string
	for _, line := range data[:min(len(data), most)] {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		name := f[len(f)-1] // behind the preference of an MX, the port of an SRV
		for _, kind := range []string{"A", "AAAA"} {
			res, err := a.run(agent.Exec{Args: []string{"dig", "-r", "+tries=1", "+time=2", "+nocookie", "@" + server, "-q", name, "-t", kind}})
			if err != nil {
				return err
			}
			answer, _ := parseDig(string(res.Stdout))
			for _, r := range answer.records {
				if r.kind == kind {
					have = append(have, r.data)
				}
			}
		}
	}
	for _, w := range wanted {
		if !slices.ContainsFunc(have, func(h string) bool { return sameAddr(w, h) }) {
			d.add("the names %s have the addresses %s", several(data, "(none)"), several(have, "none"))
			return nil
		}
	}
	return nil
}

// sameData compares a record's data: addresses as such, names without regard to
// case and last dot, texts without their quotes.
func sameData(want, have string) bool {
	plain := func(s string) string {
		s = strings.TrimSuffix(strings.ToLower(strings.TrimSpace(s)), ".")
		return strings.Join(strings.Fields(strings.ReplaceAll(s, `"`, "")), " ")
	}
	return plain(want) == plain(have) || sameAddr(want, have) && want != ""
}

// parseResolver is the first name server of a resolv.conf.
func parseResolver(text string) string {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "nameserver" {
			return f[1]
		}
	}
	return ""
}

// parseDig reads what dig prints; ok is false when there was no answer.
func parseDig(text string) (answer dnsAnswer, ok bool) {
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, ";; ->>HEADER<<-"):
			_, rest, _ := strings.Cut(line, "status: ")
			answer.status, _, _ = strings.Cut(rest, ",")
			ok = true
		case strings.HasPrefix(line, ";; flags:"):
			flags, _, _ := strings.Cut(strings.TrimPrefix(line, ";; flags:"), ";")
			answer.flags = strings.Fields(flags)
		case strings.HasPrefix(line, ";; ") && strings.HasSuffix(line, " SECTION:"):
			section = strings.TrimSuffix(strings.TrimPrefix(line, ";; "), " SECTION:")
		case line == "" || strings.HasPrefix(line, ";"):
		case section == "ANSWER":
			// name, TTL, IN, type, data
			if f := strings.Fields(line); len(f) >= 5 {
				answer.records = append(answer.records, dnsRecord{f[0], f[3], strings.Join(f[4:], " ")})
			}
		}
	}
	return answer, ok
}
