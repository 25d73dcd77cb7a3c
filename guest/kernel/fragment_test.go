package kernel_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/patchbay/patchbay/guest/kernel"
)

func TestParseConfig(t *testing.T) {
	tests := []struct {
		name, text string
		want       map[string]string
		wantErr    string
	}{
		{
			name: "all forms",
			text: "# a comment\n\nCONFIG_A=y\n  CONFIG_B=\"fd:0,fd:1\"  \n# CONFIG_C is not set\nCONFIG_D=17\n",
			want: map[string]string{"A": "y", "B": `"fd:0,fd:1"`, "C": "n", "D": "17"},
		},
		{name: "twice", text: "CONFIG_A=y\nCONFIG_A=y\n", wantErr: "line 2: CONFIG_A comes a second time"},
		{name: "set and not set", text: "CONFIG_A=y\n# CONFIG_A is not set\n", wantErr: "line 2: CONFIG_A comes a second time"},
		{name: "no value", text: "CONFIG_A=\n", wantErr: `line 1: "CONFIG_A=" has no value`},
		{name: "no option", text: "\nA=y\n", wantErr: `line 2: "A=y" is no option`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := kernel.ParseConfig([]byte(tt.text))
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Errorf("error %v; want %q", err, tt.wantErr)
				}
				return
			}
			if err != nil || !maps.Equal(got, tt.want) {
				t.Errorf("got %v, %v; want %v", got, err, tt.want)
			}
		})
	}
}

func TestCheckConfig(t *testing.T) {
	wish := map[string]string{"SQUASHFS": "y", "HZ": "100", "MODULES": "n"}
	tests := []struct {
		name    string
		got     map[string]string
		wantErr []string
	}{
		{"all there", map[string]string{"SQUASHFS": "y", "HZ": "100", "MODULES": "n", "MORE": "y"}, nil},
		{"unmentioned is not set", map[string]string{"SQUASHFS": "y", "HZ": "100"}, nil},
		{"dropped", map[string]string{"HZ": "100"}, []string{"CONFIG_SQUASHFS is n, not y"}},
		{"changed and forced", map[string]string{"SQUASHFS": "m", "HZ": "250", "MODULES": "y"},
			[]string{"3 of 3", "CONFIG_SQUASHFS is m, not y", "CONFIG_HZ is 250, not 100", "CONFIG_MODULES is y, not n"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := kernel.CheckConfig(wish, tt.got)
			if (err != nil) != (tt.wantErr != nil) {
				t.Fatalf("CheckConfig = %v; want %q", err, tt.wantErr)
			}
			for _, w := range tt.wantErr {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("CheckConfig = %v; want it to say %q", err, w)
				}
			}
		})
	}
}

// TestFragment holds the configuration we ship to what the jail relies on.
func TestFragment(t *testing.T) {
	got, err := kernel.ParseConfig(kernel.Fragment)
	if err != nil {
		t.Fatalf("fragment.config: %v", err)
	}
	for name, want := range map[string]string{"MODULES": "n", "HOSTFS": "n", "STATIC_LINK": "y", "MISC_FILESYSTEMS": "y"} {
		if got[name] != want {
			t.Errorf("fragment.config has CONFIG_%s=%s, want %s", name, got[name], want)
		}
	}
	hash, err := kernel.ConfigHash()
	if err != nil || len(hash) != 8 {
		t.Errorf("hash %q, %v; want eight digits", hash, err)
	}
}
