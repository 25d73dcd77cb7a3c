package engine_test

import (
	"fmt"
	"testing"

	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/grade/engine"
)

// TestBridgeRoot: iproute2 6.1 prints a bridge's own id as root_id, whoever is
// the root, so that only the port which leads there tells.
func TestBridgeRoot(t *testing.T) {
	for _, tt := range []struct {
		name, told string
		root       bool
	}{
		{"root", `,"root_port":0,"root_path_cost":0`, true},
		{"another is", `,"root_port":1,"root_path_cost":100`, false},
		{"not said", ``, false},
	} {
		text := fmt.Sprintf(`[{"ifname":"br0","linkinfo":{"info_kind":"bridge","info_data":{"stp_state":1,"priority":8192,
			"bridge_id":"2000.2:0:0:0:2:1","root_id":"2000.2:0:0:0:2:1"%s}}}]`, tt.told)
		for _, want := range []bool{true, false} {
			wrong, err := engine.Bridge(text, &grade.Bridge{Bridge: "br0", Root: &want})
			if err != nil {
				t.Fatal(err)
			}
			if ok := len(wrong) == 0; ok != (want == tt.root) {
				t.Errorf("%s: asked for root %v, wrong is %q", tt.name, want, wrong)
			}
		}
	}
}
