// Put before the page's own scripts: a microphone into which a test plays recordings.
//
// Chromium's fake device plays one file from the start of the browser and loops it; it cannot wait
// until the agent has asked. Here the page gets the stream of a WebAudio destination instead, and
// caller.say plays into that at the moment the test wants.
globalThis.caller = (() => {
  let line = null;

  function open() {
    const context = new AudioContext({ sampleRate: 48_000 });
    const out = context.createMediaStreamDestination();
    // A destination that nothing feeds produces no frames at all; a quiet line does.
    const quiet = new ConstantSourceNode(context, { offset: 0.00001 });
    quiet.connect(out);
    quiet.start();
    line = { context, out };
    return out.stream;
  }

  navigator.mediaDevices.getUserMedia = async () => open();

  return {
    /** @param {string} sound a WAV file in base64 */
    async say(sound) {
      const bytes = Uint8Array.from(atob(sound), (char) => char.charCodeAt(0));
      const buffer = await line.context.decodeAudioData(bytes.buffer);
      const source = new AudioBufferSourceNode(line.context, { buffer });
      source.connect(line.out);
      await new Promise((done) => {
        source.onended = done;
        source.start();
      });
    },

    /** @param {number} least returns when what comes back from the edge is louder than this */
    async louder(least) {
      const stream = document.getElementById("agent-audio").srcObject;
      const context = new AudioContext();
      const meter = new AnalyserNode(context, { fftSize: 2048 });
      context.createMediaStreamSource(stream).connect(meter);
      const block = new Float32Array(meter.fftSize);
      let loud = 0;
      while (loud <= least) {
        await new Promise((next) => setTimeout(next, 20));
        meter.getFloatTimeDomainData(block);
        const power = block.reduce((sum, value) => sum + value * value, 0) / block.length;
        loud = Math.sqrt(power);
      }
      await context.close();
    },
  };
})();
