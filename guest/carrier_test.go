package guest_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/patchbay/patchbay/guest"
)

// waitLink waits until eth0's line of "ip link" holds want.
func (m *machine) waitLink(t *testing.T, want string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		got := m.sh(t, "ip -o link show eth0")
		if strings.Contains(got, want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%q does not come to hold %q", got, want)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// carrierConfig is a machine whose kernel has a carrier, and the other end of
// its eth0.
func carrierConfig(t *testing.T) (guest.Config, *net.UnixListener) {
	t.Helper()
	c := realConfig(t)
	if !c.Kernel.Carrier {
		lacking(t, "the kernel %s has no carrier", c.Kernel.Name)
	}
	end := plug(t, &c, 0)
	c.Machine.Interfaces[0].Addresses = []string{"10.0.0.1/24"}
	return c, end
}

func accept(t *testing.T, end *net.UnixListener) net.Conn {
	t.Helper()
	conn, err := end.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// A byte takes the carrier away and gives it back, with offload and without,
// and frames pass all the time.
func TestCarrier(t *testing.T) {
	for _, offload := range []bool{true, false} {
		t.Run(map[bool]string{true: "offload", false: "plain"}[offload], func(t *testing.T) {
			c, end := carrierConfig(t)
			c.Kernel.Offload = c.Kernel.Offload && offload
			m := boot(t, c)
			conn := accept(t, end)
			m.waitLink(t, "state UP")
			for range 2 {
				if _, err := conn.Write([]byte{0}); err != nil {
					t.Fatal(err)
				}
				m.waitLink(t, "NO-CARRIER")
				m.waitLink(t, "state DOWN")
				if _, err := conn.Write([]byte{1}); err != nil {
					t.Fatal(err)
				}
				m.waitLink(t, "LOWER_UP")
				m.waitLink(t, "state UP")
			}
			if !answers(t, conn, c) {
				t.Error("with its carrier back it does not answer")
			}
			m.sh(t, "ip link set eth0 down")
			m.waitLink(t, "state DOWN")
		})
	}
}

// A switch that goes away takes the carrier with it. The guest neither reads nor
// sends on what is left, and connects anew when its interface is set down and
// up.
func TestEndOfStream(t *testing.T) {
	c, end := carrierConfig(t)
	m := boot(t, c)
	for _, unread := range []bool{false, true} { // with frames unread it ends with an error
		conn := accept(t, end)
		m.waitLink(t, "state UP")
		if unread {
			m.sh(t, "bash -c 'echo x > /dev/udp/10.0.0.2/9' || true")
		} else if !answers(t, conn, c) {
			t.Error("it does not answer")
		}
		conn.Close()
		m.waitLink(t, "NO-CARRIER")
		m.sh(t, "ip neigh replace 10.0.0.2 lladdr 02:00:00:00:00:09 dev eth0; "+
			"for i in 1 2 3; do bash -c 'echo x > /dev/udp/10.0.0.2/9' || true; done")
		used := cpuTicks(t, m.PID())
		time.Sleep(time.Second)
		if n := cpuTicks(t, m.PID()) - used; n > 20 {
			t.Errorf("it used %d ticks of a hundred after the end of the stream", n)
		}
		m.sh(t, "ip link set eth0 down; ip link set eth0 up")
	}
	if conn := accept(t, end); !answers(t, conn, c) {
		t.Error("connected anew it does not answer")
	}
	if s := m.screens[0].text(); strings.Contains(s, "uml-vector") {
		t.Errorf("its console says %q", s)
	}
}

// With nobody to connect to an interface stays down.
func TestNobodyListens(t *testing.T) {
	c, end := carrierConfig(t)
	m := boot(t, c)
	accept(t, end)
	m.sh(t, "ip link set eth0 down")
	end.Close()
	m.sh(t, "! ip link set eth0 up")
	m.waitLink(t, "state DOWN")
}
