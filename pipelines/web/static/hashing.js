// The sha256 of a file that somebody chooses or drops, computed here: nothing is uploaded.

const LARGEST_BYTES = 2 ** 30;

export function offerHashing() {
  const place = document.querySelector("[data-hash]");
  if (!place) return;
  if (!globalThis.crypto?.subtle) {
    place.append(line("This browser hashes files over https or on localhost alone.", "faint"));
    return;
  }
  const input = Object.assign(document.createElement("input"), { type: "file", id: "file" });
  const label = Object.assign(document.createElement("label"), { htmlFor: "file", className: "drop" });
  const told = line("It is hashed in this browser; nothing is uploaded.", "faint");
  told.setAttribute("role", "status");
  label.append(line("Choose a file, or drop it here", "strong"), input, told);
  place.append(label);
  const take = (file) => { if (file) find(file, told, place.dataset.hash); };
  input.addEventListener("change", () => take(input.files[0]));
  label.addEventListener("dragover", (event) => { event.preventDefault(); label.classList.add("over"); });
  label.addEventListener("dragleave", () => label.classList.remove("over"));
  label.addEventListener("drop", (event) => {
    event.preventDefault();
    label.classList.remove("over");
    take(event.dataTransfer.files[0]);
  });
}

async function find(file, told, address) {
  if (file.size > LARGEST_BYTES) {
    told.textContent = "It is longer than 1 GiB: take the sha256 that a terminal prints.";
    return;
  }
  told.textContent = "Hashing...";
  try {
    const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
    const sha = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    told.textContent = `sha256 ${sha}`;
    location.assign(address + sha);
  } catch {
    told.textContent = "This file cannot be read here: take the sha256 that a terminal prints.";
  }
}

function line(text, className) {
  return Object.assign(document.createElement("span"), { textContent: text, className });
}
