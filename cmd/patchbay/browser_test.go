package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"
)

// solution gives the lines that solve a lab on a node, as a student types them.
func solution(t *testing.T, lab, node string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../labs/catalog", lab, "solution", node+".sh"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestStudent is a student's evening: log in, solve a lab by typing, come back
// after a reload and after the server was killed, begin again, stop.
func TestStudent(t *testing.T) {
	s := newSite(t)
	s.student(s.admin(), "ada", "static-routing")
	p := s.browse()
	p.logIn("ada")
	p.do(chromedp.Click(chromedp.CSS(`a[href="/labs/static-routing"]`)))
	p.running()

	for _, node := range []string{"pc1", "r1", "r2", "pc2"} {
		p.terminal(node)
		for _, line := range solution(t, "static-routing", node) {
			p.say(line)
		}
	}
	p.terminal("pc1")
	p.say("ping -c 3 10.0.2.10")
	p.wait("the ping's answer", `patchbay.text("pc1").includes("3 received, 0% packet loss")`)
	p.say("echo kept > /root/mark; sync; echo saved $((6*7))")
	p.wait("the file to be written", `patchbay.text("pc1").includes("saved 42")`)
	p.terminal("pc1")

	before := p.text("pc1")
	p.do(chromedp.Reload())
	p.running()
	p.terminal("pc1")
	if after := p.text("pc1"); after != before {
		p.fail("after a reload the screen is\n%s\nwant\n%s", after, before)
	}

	s.kill(syscall.SIGKILL)
	p.wait("the page to notice that the server is gone", `patchbay.link() !== "connected"`)
	s.start()
	p.wait("the page to come back", `patchbay.link() === "connected"`)
	p.say("echo back $((6*7))")
	p.wait("an answer after the server was killed", `patchbay.text("pc1").includes("back 42")`)

	p.do(chromedp.Click(chromedp.CSS(`#reset-lab`)), chromedp.Click(chromedp.CSS(`[data-testid=confirm]`)))
	p.wait("the screen to be new", `!patchbay.text("pc1").includes("packet loss")`)
	p.running()
	p.terminal("pc1")
	p.say("cat /root/mark; ip -brief address show eth0; echo done $((6*7))")
	p.wait("the commands to end", `patchbay.text("pc1").includes("done 42")`)
	if text := p.text("pc1"); !strings.Contains(text, "No such file") || strings.Contains(text, "10.0.1.10") {
		p.fail("after a reset pc1 says\n%s", text)
	}

	p.do(chromedp.Click(chromedp.CSS(`#stop-lab`)), chromedp.Click(chromedp.CSS(`[data-testid=confirm]`)))
	p.wait("the page to say that the lab is stopped", `document.body.innerText.includes("The lab is stopped")`)
	p.do(chromedp.Navigate(s.url + "/"))
	p.wait("the lab in the list", `document.querySelector("main").innerText.includes("stopped")`)
}
