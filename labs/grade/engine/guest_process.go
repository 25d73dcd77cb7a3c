package engine

import (
	"context"
	"fmt"
	"net/netip"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/patchbay/patchbay/guest/agent"
	"github.com/patchbay/patchbay/labs/grade"
)

// process is a line of ps, with what /proc says it runs.
type process struct {
	pid, user, name, args, exe string
}

func evalProcess(ctx context.Context, t Target, k *grade.Process) (verdict, error) {
	return ask(ctx, t, k.Node, func(a *asker) (bool, string, error) {
		text, err := a.text("ps", "-ww", "-eo", "pid=,euser:32=,comm:32=,args=")
		if err != nil {
			return false, "", err
		}
		re, err := regexp.Compile(k.Args)
		if err != nil {
			return false, "", fmt.Errorf("a check's regular expression: %w", err)
		}
		// The file that runs, for what a program calls itself is its own affair.
		res, err := a.run(agent.Exec{Args: []string{"find", "/proc", "-maxdepth", "2", "-path", "/proc/[0-9]*/exe", "-printf", "%h %l\\n"}})
		if err != nil {
			return false, "", err
		}
		list := parseProcesses(text, string(res.Stdout))
		named := func(p *process, name string) bool { return p.name == name || path.Base(p.exe) == name }
		if k.Like {
			for _, name := range k.Name {
				rest, _ := grade.Barred(name)
				if _, err := regexp.Compile(rest); err != nil {
					return false, "", fmt.Errorf("a check's regular expression: %w", err)
				}
			}
			named = func(p *process, name string) bool {
				re := regexp.MustCompile(name) // compiled once above
				return re.MatchString(p.name) || re.MatchString(path.Base(p.exe)) && p.exe != ""
			}
		}
		var d, good differences
		for _, name := range k.Name {
			rest, barred := grade.Barred(name)
			var match []process
			for _, p := range list {
				if named(&p, rest) && (k.User == "" || p.user == k.User) && re.MatchString(p.args) {
					match = append(match, p)
				}
			}
			switch {
			case barred && len(match) > 0:
				d.add("%s runs %s (process %s)", a.name, rest, match[0].pid)
			case barred:
			case len(match) == 0:
				d.add("%s does not run on %s", rest, a.name)
			case k.Count > 0 && len(match) != k.Count:
				d.add("%s runs %d times on %s", rest, len(match), a.name)
			default:
				good.add("%s runs as process %s", rest, match[0].pid)
				own := rest
				if k.Like {
					own = match[0].name // the wish is a part of it at most
				}
				if err := a.genuine(own, match[0]); err != nil {
					return false, "", err
				}
			}
		}
		return d.result(several(good, "none of these runs"))
	})
}

// genuine doubts a program of the image's name that is not the image's.
func (a *asker) genuine(name string, p process) error {
	if p.exe == "" {
		return nil // a thread of the kernel
	}
	// A process chooses its own name; of a long one the kernel keeps the start.
	if base := path.Base(p.exe); !strings.HasPrefix(base, name) && !strings.HasPrefix(name, strings.TrimSuffix(base, " (deleted)")) {
		a.doubt(fmt.Sprintf("%s (process %s) is the name of a process that runs %s", name, p.pid, p.exe))
		return nil
	}
	res, err := a.node.Verify(a.ctx, agent.Exec{Args: []string{"cmp", "-s", "--", "/proc/" + p.pid + "/exe", strings.TrimSuffix(p.exe, " (deleted)")}, Timeout: programTimeout})
	if err != nil {
		return fmt.Errorf("asking %s: %w", a.name, err)
	}
	if res.Code != 0 {
		a.doubt(fmt.Sprintf("%s (process %s) runs %s, which is no file of the image", name, p.pid, p.exe))
	}
	return nil
}

// parseProcesses joins ps's lines with the list of /proc/PID and what it runs.
func parseProcesses(ps, exes string) []process {
	exe := map[string]string{}
	for line := range strings.Lines(exes) {
		dir, file, _ := strings.Cut(strings.TrimRight(line, "\n"), " ")
		exe[path.Base(dir)] = file
	}
	var list []process
	for line := range strings.Lines(ps) {
		f := strings.Fields(line)
		if len(f) < 3 {
			continue
		}
		p := process{pid: f[0], user: f[1], name: f[2], args: strings.Join(f[3:], " "), exe: exe[f[0]]}
		if _, err := strconv.Atoi(p.pid); err == nil {
			list = append(list, p)
		}
	}
	return list
}

// socket is a line of ss.
type socket struct {
	state, local, peer  string
	port, peerPort, who string
}

func evalSocket(ctx context.Context, t Target, k *grade.Socket) (verdict, error) {
	return ask(ctx, t, k.Node, func(a *asker) (bool, string, error) {
		protocol := k.Protocol
		if protocol == "" {
			protocol = "tcp"
		}
		flag := map[string]string{"tcp": "-t", "udp": "-u", "sctp": "-S", "raw": "-w"}[protocol]
		text, err := a.text("ss", "-H", "-n", "-a", "-p", flag)
		if err != nil {
			return false, "", err
		}
		var others []string
		for _, s := range parseSockets(text) {
			if s.matches(k) {
				if err := a.genuineSocket(k.Process, &s); err != nil {
					return false, "", err
				}
				return true, describeSocket(protocol, s), nil
			}
			if s.isIn(k.State) {
				others = append(others, describeSocket("", s))
			}
		}
		return false, fmt.Sprintf("%s has no such %s socket; it has %s", a.name, protocol, several(others, "none")), nil
	})
}

// genuineSocket is genuine for the process that has a socket.
func (a *asker) genuineSocket(name string, s *socket) error {
	if name == "" {
		return nil
	}
	_, rest, _ := strings.Cut(s.who, `"`+name+`",pid=`)
	pid, _, ok := strings.Cut(rest, ",")
	if _, err := strconv.Atoi(pid); !ok || err != nil {
		return nil
	}
	res, err := a.run(agent.Exec{Args: []string{"readlink", "/proc/" + pid + "/exe"}})
	if err != nil {
		return err
	}
	return a.genuine(name, process{pid: pid, exe: strings.TrimSpace(string(res.Stdout))})
}

func (s socket) isIn(state string) bool {
	switch state {
	case "any":
		return true
	case "established":
		return s.state == "ESTAB"
	}
	return s.state == "LISTEN" || s.state == "UNCONN" // UDP's word for it
}

func (s socket) matches(k *grade.Socket) bool {
	local := sameAddr(k.Address, s.local)
	if k.Address == "any" {
		local = s.local == "*" || s.local == "0.0.0.0" || s.local == "::"
	}
	return s.isIn(k.State) && local && sameAddr(k.Peer, s.peer) &&
		(k.Port == 0 || s.port == strconv.Itoa(k.Port)) && (k.PeerPort == 0 || s.peerPort == strconv.Itoa(k.PeerPort)) &&
		(k.Process == "" || strings.Contains(s.who, `"`+k.Process+`"`))
}

// sameAddr compares addresses however they are written; nothing wanted is
// always met.
func sameAddr(want, have string) bool {
	if want == "" || want == have {
		return true
	}
	w, err := netip.ParseAddr(want)
	if err != nil {
		return false
	}
	h, err := netip.ParseAddr(have)
	return err == nil && w == h.WithZone("").Unmap()
}

func describeSocket(protocol string, s socket) string {
	text := strings.TrimSpace(protocol + " " + strings.ToLower(s.state) + " " + s.local + " port " + s.port)
	if s.state == "ESTAB" {
		text += " to " + s.peer + " port " + s.peerPort
	}
	return text
}

// parseSockets reads what ss prints without a header.
func parseSockets(text string) []socket {
	var list []socket
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 5 {
			continue
		}
		s := socket{state: f[0], who: strings.Join(f[5:], " ")}
		s.local, s.port = cutPort(f[3])
		s.peer, s.peerPort = cutPort(f[4])
		list = append(list, s)
	}
	return list
}

// cutPort takes [::1]:53, 10.0.0.1%eth0:53 or *:53 apart.
func cutPort(s string) (addr, port string) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return s, ""
	}
	addr, port = strings.Trim(s[:i], "[]"), s[i+1:]
	if a, _, ok := strings.Cut(addr, "%"); ok {
		addr = strings.Trim(a, "[]")
	}
	return addr, port
}
