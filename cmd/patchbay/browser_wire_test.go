package main_test

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestWire is what a student does to a cable in the page: impair it by keyboard
// alone, pull it, put it in, and fetch what it carried.
func TestWire(t *testing.T) {
	s := newSite(t)
	s.student(s.admin(), "ada", "lossy-link", "vlans")
	p := s.browse()
	p.logIn("ada")
	p.do(chromedp.Navigate(s.url + "/labs/lossy-link"))
	p.running()
	p.wait("the lab's impairment at its cable", `document.querySelector(".topology-svg").textContent.includes("⇄ 40 ms, 10 Mbit/s")`)

	jack := chromedp.CSS(`[data-port="client/eth0"]`)
	// The browser's own Enter would be typed into the menu as well: the debugger
	// sends the character whatever became of the key.
	const enter = `document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", bubbles: true}))`
	p.do(chromedp.Focus(jack))
	eval[bool](p, enter)
	p.wait("the cable's menu", `document.activeElement.dataset.action === "unplug"`)
	p.do(chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.Enter))
	p.wait("the dialog", `document.activeElement.id === "impair-direction"`)
	p.do(chromedp.KeyEvent("W")) // What client sends
	p.wait("the fields of that direction", `document.getElementById("impair-delay").value === "40 ms"`)
	p.do(chromedp.Focus(chromedp.CSS("#impair-loss")), chromedp.KeyEvent("lots"), chromedp.KeyEvent(kb.Enter))
	p.wait("what is wrong, said aloud", `document.getElementById("impair-problem").textContent === "Loss wants a percentage from 0 to 100." && document.activeElement.id === "impair-loss"`)
	p.shot("dialog")
	eval[string](p, `document.getElementById("impair-loss").value = ""`)
	p.do(chromedp.KeyEvent("1.5"), chromedp.KeyEvent(kb.Enter))
	p.wait("the dialog to be gone and the focus back", `!document.querySelector("dialog") && document.activeElement.dataset.port === "client/eth0"`)
	p.wait("the impairment at the cable", `document.querySelector(".topology-svg").textContent.includes("out 40 ms, 1.5 % lost, 10 Mbit/s")`)

	// What the server refuses is said in the dialog.
	eval[bool](p, enter)
	p.do(chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.Enter))
	p.wait("the dialog", `!!document.querySelector("dialog[open]")`)
	eval[string](p, `document.getElementById("impair-rate").value = ""`)
	p.do(chromedp.Focus(chromedp.CSS("#impair-rate")), chromedp.KeyEvent("5"), chromedp.KeyEvent(kb.Enter))
	p.wait("the refusal", `document.getElementById("impair-problem").textContent.includes("rate is 5 bit/s")`)
	p.do(chromedp.Click(chromedp.CSS(`[data-testid=impair-perfect]`)))
	p.wait("the wire to be perfect one way", `!patchbay.state().segments[0].ports.find(p => p.node === "client").out`)

	p.do(chromedp.Click(jack), chromedp.Click(chromedp.CSS(`[data-action=unplug]`)))
	p.wait("no carrier at the other end", `patchbay.state().nodes.find(n => n.name === "server").interfaces[0].carrier === false`)
	p.shot("cut")
	p.do(chromedp.Click(jack), chromedp.Click(chromedp.CSS(`[data-action=plug]`)))
	p.terminal("client")
	p.say("ping -c 2 10.0.0.2")
	p.wait("the ping's answer", `patchbay.text("client").includes("2 received")`)
	eval[string](p, `fetch("/api/v1/racks/" + patchbay.state().rack + "/capture?link=client/eth0&filter=icmp").then(r => r.arrayBuffer()).then(b => window.captured = b.byteLength), ""`)
	p.wait("four frames in a capture", `window.captured > 4*98`)

	p.do(chromedp.Navigate(s.url + "/labs/vlans"))
	p.running()
	p.wait("the VLANs at the cables", `document.querySelector(".topology-svg").textContent.includes("trunk 10 20")`)
	p.do(chromedp.Focus(chromedp.CSS(`[data-segment="lan"]`)))
	eval[bool](p, enter)
	p.wait("the switch's menu", `document.activeElement.dataset.action === "cut"`)
	p.do(chromedp.KeyEvent(kb.Escape))
	for _, look := range []struct {
		name          string
		scheme        string
		width, height int64
	}{{"light", "light", 1280, 800}, {"dark", "dark", 1280, 800}, {"tall-light", "light", 820, 1180}, {"tall-dark", "dark", 820, 1180}} {
		p.do(chromedp.EmulateViewport(look.width, look.height))
		eval[string](p, `document.documentElement.dataset.theme = "`+look.scheme+`"`)
		p.shot("vlans-" + look.name)
	}
}

// TestLoop has three routers become bridges, which makes a ring of them, and
// wants the page to say so for as long as it is one.
func TestLoop(t *testing.T) {
	s := newSite(t)
	s.student(s.admin(), "ada", "ospf-triangle")
	p := s.browse()
	p.logIn("ada")
	p.do(chromedp.Navigate(s.url + "/labs/ospf-triangle"))
	p.running()
	for _, node := range []string{"r1", "r2", "r3"} {
		p.terminal(node)
		p.say("ip link add br0 type bridge; for i in /sys/class/net/eth*; do ip link set ${i##*/} up master br0; done; ip link set br0 up")
	}
	p.say("arping -c 3 -I br0 10.99.99.99; ping -c 3 -I br0 10.99.99.99")
	p.wait("the loop to be told", `/a loop is flooding (this segment|these segments) – unplug one of/.test(document.querySelector(".wire-warning").textContent)`)
	p.shot("warning")
	jack := eval[string](p, `document.querySelector(".jack").dataset.port`)
	p.do(chromedp.Click(chromedp.CSS(`[data-port="`+jack+`"]`)), chromedp.Click(chromedp.CSS(`[data-action=unplug]`)))
	p.wait("the loop to be over", `document.querySelector(".wire-warning").textContent === ""`)
}
