package engine

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/patchbay/patchbay/guest/agent"
	"github.com/patchbay/patchbay/labs/grade"
)

// wgInterface is what “wg show all dump” has, keys that are secret left out.
type wgInterface struct {
	name, key string
	port      int
	peers     []wgPeer
}

type wgPeer struct {
	key, endpoint string
	allowed       []string
	handshake     int64 // seconds since 1970; 0 for never
	keepalive     int
}

// wgDump prints the dump without private and preshared keys, which are nobody's
// to keep, and the guest's time before it.
const wgDump = `date +%s; wg show all dump | awk -F'\t' -v OFS='\t' 'NF == 5 { $2 = "" } NF > 5 { $3 = "" } { print }'`

func evalWireGuard(ctx context.Context, t Target, k *grade.WireGuard) (verdict, error) {
	return ask(ctx, t, k.Node, func(a *asker) (bool, string, error) {
		res, err := a.run(agent.Exec{Args: []string{"sh", "-c", wgDump}})
		if err != nil {
			return false, "", err
		}
		list, now := parseWireGuard(string(res.Stdout))
		var wrong []string
		for i := range list {
			w := &list[i]
			if k.Interface != "" && k.Interface != w.name {
				continue
			}
			d := w.compare(k, now)
			if len(d) == 0 {
				return true, w.describe(), nil
			}
			wrong = append(wrong, w.name+": "+several(d, "")+" ("+w.describe()+")")
		}
		none := a.name + " has no WireGuard interface"
		if k.Interface != "" {
			none += " " + k.Interface
		}
		return false, several(wrong, none), nil
	})
}

// parseWireGuard reads what wgDump prints.
func parseWireGuard(text string) (list []wgInterface, now int64) {
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		number := func(i int) int64 {
			n, err := strconv.ParseInt(f[i], 10, 64)
			if err != nil {
				return 0 // off, or nothing
			}
			return n
		}
		switch len(f) {
		case 1:
			now = number(0)
		case 5:
			list = append(list, wgInterface{name: f[0], key: f[2], port: int(number(3))})
		case 9:
			if len(list) == 0 || list[len(list)-1].name != f[0] {
				continue
			}
			p := wgPeer{key: f[1], endpoint: f[3], handshake: number(5), keepalive: int(number(8))}
			if f[4] != "(none)" && f[4] != "" {
				p.allowed = strings.Split(f[4], ",")
			}
			w := &list[len(list)-1]
			w.peers = append(w.peers, p)
		}
	}
	return list, now
}

func (w *wgInterface) describe() string {
	var peers []string
	for _, p := range w.peers {
		text := p.key + " at " + p.endpoint + " allowed " + strings.Join(p.allowed, " ")
		if p.handshake == 0 {
			text += " without a handshake"
		}
		peers = append(peers, text)
	}
	return w.name + " listens on port " + itoa(w.port) + " and has the peers " + several(peers, "none")
}

func (w *wgInterface) compare(k *grade.WireGuard, now int64) (d differences) {
	if k.Port != 0 && k.Port != w.port {
		d.add("its port is %d", w.port)
	}
	if k.Key != "" && k.Key != w.key {
		d.add("its key is %s", w.key)
	}
	met := map[int]bool{}
	for _, want := range k.Peers {
		hit := false
		var why []string
		for i := range w.peers {
			if want.Key != "" && want.Key != w.peers[i].key {
				continue
			}
			pd := w.peers[i].compare(want, now)
			if len(pd) == 0 {
				hit, met[i] = true, true
				break
			}
			why = append(why, several(pd, ""))
		}
		if !hit {
			d.add("%s", several(why, "there is no peer "+want.Key))
		}
	}
	if k.Only && len(met) < len(w.peers) {
		d.add("there are %d peers", len(w.peers))
	}
	return d
}

func (p *wgPeer) compare(w grade.WireGuardPeer, now int64) (d differences) {
	if w.Endpoint != "" && w.Endpoint != p.endpoint {
		if host, _ := cutPort(p.endpoint); !sameAddr(w.Endpoint, host) {
			d.add("the endpoint is %s", p.endpoint)
		}
	}
	if w.Allowed != nil {
		same := len(w.Allowed) == len(p.allowed)
		for _, a := range w.Allowed {
			hit := false
			for _, b := range p.allowed {
				hit = hit || sameNetwork(a, b)
			}
			same = same && hit
		}
		if !same {
			d.add("the allowed networks are %s", several(p.allowed, "none"))
		}
	}
	if w.Handshake > 0 {
		switch age := time.Duration(now-p.handshake) * time.Second; {
		case p.handshake == 0:
			d.add("there was no handshake")
		case age > w.Handshake:
			d.add("the last handshake was %v ago", age)
		}
	}
	if w.Keepalive != 0 && w.Keepalive != p.keepalive {
		d.add("the keepalive is %d", p.keepalive)
	}
	return d
}
