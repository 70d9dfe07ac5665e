// A short tone for what must not be missed. Off until somebody wants it; the choice stays in this browser.
import { readonly, ref } from "vue";

const KEY = "zhecai.hall.sound";
const TONE_S = 0.18;
const on = ref(localStorage.getItem(KEY) === "on");
let audio: AudioContext | undefined;

function play(hertz: number): void {
  if (!on.value) return;
  audio ??= new AudioContext();
  const tone = audio.createOscillator();
  const volume = audio.createGain();
  volume.gain.setValueAtTime(0.08, audio.currentTime);
  volume.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + TONE_S);
  tone.frequency.value = hertz;
  tone.connect(volume).connect(audio.destination);
  tone.start();
  tone.stop(audio.currentTime + TONE_S);
}

function set(wanted: boolean): void {
  on.value = wanted;
  localStorage.setItem(KEY, wanted ? "on" : "off");
  play(660);
}

export const sound = { on: readonly(on), set, play };
