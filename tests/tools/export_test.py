"""Models that exist as Python code, through `godwit convert`: export_test.py GODWIT. Exit 77 (skipped) without torch."""
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
sys.path[:0] = [os.path.join(ROOT, "tools", "export"), os.path.join(ROOT, "tools", "reference")]
GODWIT = None

NET = '''
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, padding=1)
        self.head = nn.Linear(width, 10)

    def forward(self, x, scale: float = 1.0):
        return self.head(torch.relu(self.conv(x)).mean((2, 3))) * scale

class Pair(nn.Module):
    def forward(self, a, *, mask):
        return {"sum": a * mask, "rest": (a + 1, a.sum())}

    def example_inputs(self):
        return {"a": torch.randn(2, 6), "mask": torch.ones(2, 1)}

class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(2))

    def forward(self, x):
        self.seen.add_(x)
        return self.seen * 2

class Fixed(nn.Module):
    def forward(self, x):
        return x.reshape(-1, 48)[:, :6] + x[:, 0]

class Broken(nn.Module):
    def __init__(self):
        super().__init__()
        raise ValueError("no such checkpoint")

def count():
    return 3
'''


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.write("net.py", NET)

    def write(self, name, text):
        os.makedirs(os.path.dirname(os.path.join(self.folder, name)), exist_ok=True)
        with open(os.path.join(self.folder, name), "w") as file:
            file.write(text)

    def call(self, *arguments):
        return subprocess.run([GODWIT, *arguments], capture_output=True, text=True, cwd=self.folder,
                              env=os.environ | {"GODWIT_PYTHON": sys.executable, "OMP_NUM_THREADS": "1"})

    def answer(self, *arguments):
        done = self.call(*arguments, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def refusal(self, *arguments):
        done = self.call("convert", *arguments, "-o", "refused")
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertFalse([name for name in os.listdir(self.folder) if "refused" in name])
        return done.stderr


class PythonFile(Case):
    def test_names_of_dynamic_dimensions_reach_the_package(self):
        done = self.answer("convert", "net.py", "--model-class", "Net(width=4)", "--input", "x=batch,3,height,width",
                           "-o", "net", "--save-export", "net.pt2")
        self.assertEqual(done["status"], "converted")
        self.assertEqual(done["validation"]["status"], "passed")
        self.assertTrue(done["export"]["framework"].startswith("torch "))
        self.assertEqual(sorted(os.listdir(os.path.join(self.folder, "net"))),
                         ["golden.safetensors", "graphs", "model.json", "weights.safetensors"])
        shapes = {p["name"]: p["shape"] for p in self.answer("inspect", "net")["inputs"]}
        self.assertEqual(shapes, {"x": ["batch", 3, "height", "width"]})
        run = self.answer("run", "net", "--size", "batch=3", "--size", "height=5", "--size", "width=7")
        self.assertEqual(run["outputs"]["output"]["shape"], [3, 10])
        self.assertRegex(self.answer("validate", "net")["reference"], r"^golden \(torch ")
        live = self.answer("validate", "net", "--reference", "net.pt2", "--size", "height=9")
        self.assertEqual(live["status"], "passed")
        self.assertEqual(self.answer("bench", "net", "--runs", "2", "--against", "torch")["against"]["name"], "torch")

    def test_example_inputs_of_the_model(self):
        done = self.answer("convert", "net.py", "--model-class", "Pair", "--input", "a=batch,6", "--input",
                           "mask=batch,1", "-o", "pair")
        self.assertEqual([o["name"] for o in done["validation"]["outputs"]], ["rest_0", "rest_1", "sum"])
        self.assertEqual([p["shape"] for p in self.answer("inspect", "pair")["inputs"]], [["batch", 6], ["batch", 1]])

    def test_state_starts_as_the_file_has_it(self):
        done = self.answer("convert", "net.py", "--model-class", "Counter", "--input", "x=2", "-o", "counter")
        self.assertEqual(done["validation"]["status"], "passed")

    def test_weights_of_a_state_dict(self):
        import torch
        sys.path.insert(0, self.folder)
        self.addCleanup(sys.path.remove, self.folder)
        spec = importlib.util.spec_from_file_location("made_net", os.path.join(self.folder, "net.py"))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        model = module.Net()
        torch.nn.init.constant_(model.head.weight, 0.0)
        torch.nn.init.constant_(model.head.bias, 7.0)
        torch.save(model.state_dict(), os.path.join(self.folder, "net.pt"))
        self.assertIn("--weights net.pt", self.refusal("net.pt"))
        self.answer("convert", "net.py", "--model-class", "Net", "--weights", "net.pt", "--input", "x=1,3,8,8", "-o", "net")
        self.assertEqual(self.answer("run", "net")["outputs"]["output"]["mean"], 7.0)
        self.assertIn("do not fit", self.refusal("net.py", "--model-class", "Net(width=3)", "--weights", "net.pt",
                                                 "--input", "x=1,3,8,8"))

    def mistake(self, *arguments):
        """What export.py says, without starting torch once more."""
        import export
        import specs
        options = export.parse([os.path.join(self.folder, "net.py"), *arguments, "--output", os.devnull, "--golden",
                                os.devnull])
        with self.assertRaises(specs.Mistake) as caught:
            export.run(options)
        return str(caught.exception)

    def test_mistakes_are_named(self):
        self.assertIn("the file has Net, Pair", self.refusal("net.py"))
        self.assertIn("has no Nett", self.mistake("--model-class", "Nett"))
        self.assertIn("gives a int", self.mistake("--model-class", "count"))
        self.assertIn("no such checkpoint (net.py:", self.mistake("--model-class", "Broken"))
        self.assertIn("forward takes x, scale", self.mistake("--model-class", "Net"))
        self.assertIn("no input called y; it takes x, scale", self.mistake("--model-class", "Net", "--input", "y=1,3,8,8"))
        self.assertIn("the model itself fails", self.mistake("--model-class", "Net", "--input", "x=1,4,8,8"))
        self.assertIn("h cannot be any length", self.mistake("--model-class", "Fixed", "--input", "x=batch,h,6"))
        self.assertIn("plain values", self.mistake("--model-class", "Net(width=open('x'))"))


@unittest.skipUnless(importlib.util.find_spec("transformers"), "transformers is not installed")
class Folder(Case):
    def build(self, name, code):
        """Saves a model in a process of its own, where a torchvision that does not load is put aside."""
        setup = ("import sys; sys.path.insert(0, %r)\nimport sources; sources.hide_broken_torchvision()\n"
                 "import torch, transformers\n" % os.path.join(ROOT, "tools", "export"))
        done = subprocess.run([sys.executable, "-c", setup + code], cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return name

    def bert(self):
        return self.build("bert", '''
config = transformers.BertConfig(vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
                                 intermediate_size=32, max_position_embeddings=40)
transformers.BertModel(config).save_pretrained("bert")''')

    def test_text_has_dynamic_batch_and_length(self):
        done = self.answer("convert", self.bert(), "-o", "out")
        self.assertEqual(done["validation"]["status"], "passed")
        self.assertIn("length has bounds: max=40", done["warnings"])
        described = self.answer("inspect", "out")
        self.assertEqual([(p["name"], p["shape"]) for p in described["inputs"]],
                         [("input_ids", ["batch", "length"]), ("attention_mask", ["batch", "length"])])
        run = self.answer("run", "out", "--size", "batch=3", "--size", "length=17")
        self.assertEqual(run["outputs"]["last_hidden_state"]["shape"], [3, 17, 16])

    def test_encoder_and_decoder_have_lengths_of_their_own(self):
        folder = self.build("t5", '''
config = transformers.T5Config(d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2, vocab_size=60,
                               decoder_start_token_id=0)
transformers.T5ForConditionalGeneration(config).save_pretrained("t5")''')
        self.assertEqual(self.answer("convert", folder, "-o", "out")["validation"]["status"], "passed")
        shapes = {p["name"]: p["shape"] for p in self.answer("inspect", "out")["inputs"]}
        self.assertEqual(shapes, {"input_ids": ["batch", "length"], "attention_mask": ["batch", "length"],
                                  "decoder_input_ids": ["batch", "decoder_length"]})
        # 8 is the length that torch would rather leave out: the size of a head.
        run = self.answer("run", "out", "--size", "batch=3", "--size", "length=6", "--size", "decoder_length=8")
        self.assertEqual(run["outputs"]["logits"]["shape"], [3, 8, 60])

    def test_nothing_in_a_folder_is_run(self):
        marker = os.path.join(self.folder, "was_run")
        self.write("own/config.json", json.dumps({"model_type": "own", "auto_map": {"AutoModel": "model.Own",
                                                                                    "AutoConfig": "model.Own"}}))
        self.write("own/model.py", f"open({marker!r}, 'w')\nclass Own: pass\n")
        self.assertIn("code of its own", self.refusal("own"))
        folder = self.bert()
        os.remove(os.path.join(self.folder, "bert", "model.safetensors"))
        self.build("bert", f'''
class Evil:
    def __reduce__(self):
        return (open, ({marker!r}, "w"))
torch.save({{"a": Evil()}}, "bert/pytorch_model.bin")''')
        self.refusal(folder)
        self.assertFalse(os.path.exists(marker))


if __name__ == "__main__":
    if importlib.util.find_spec("torch") is None:
        print("skipped: torch is not installed; 8 tests of the export are not run")
        sys.exit(77)
    GODWIT = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1)
