// What the page carries: blocks of base64, most of them deflated.

function bytesOf(name) {
  const element = document.getElementById(`data-${name}`);
  const text = atob(element.textContent);
  element.remove();
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

async function inflated(name) {
  const stream = new Blob([bytesOf(name)]).stream();
  const whole = stream.pipeThrough(new DecompressionStream('deflate'));
  return new Response(whole).arrayBuffer();
}

async function sheetOf(name) {
  return createImageBitmap(new Blob([bytesOf(name)], { type: 'image/webp' }));
}

// 16 bits a coordinate, back to map units: x = x_min + q / 65535 * x_span.
function dequantised(shares, [xMin, yMin, xSpan, ySpan]) {
  const num = shares.length / 2;
  const x = new Float64Array(num);
  const y = new Float64Array(num);
  for (let i = 0; i < num; i++) {
    x[i] = xMin + (shares[2 * i] / 65535) * xSpan;
    y[i] = yMin + (shares[2 * i + 1] / 65535) * ySpan;
  }
  return { x, y, num };
}

async function readData() {
  const words = JSON.parse(new TextDecoder().decode(await inflated('words')));
  const data = {
    ...words,
    points: dequantised(new Uint16Array(await inflated('positions')), words.box),
    clusterOf: new Int32Array(await inflated('clusters')),
    densityLevels: new Uint8Array(await inflated('density')),
    sprites: await sheetOf('sprites'),
  };
  if (words.walks) {
    data.walks = {
      ...words.walks,
      num: words.walks.prompts.length,
      numSteps: words.walks.times.length,
      points: dequantised(new Uint16Array(await inflated('walk-positions')), words.walks.box),
      isOffMap: new Uint8Array(await inflated('walk-off-map')),
      standing: {
        points: dequantised(
          new Uint16Array(await inflated('walk-standing')), words.walks.standingBox,
        ),
        isOffMap: new Uint8Array(await inflated('walk-standing-off-map')),
      },
      nearest: new Int32Array(await inflated('walk-nearest')),
      sprites: await sheetOf('walk-sprites'),
    };
  }
  return data;
}

function drawSprite(context, sheet, columns, sizePx, index, left, top, width) {
  const column = index % columns;
  const line = Math.floor(index / columns);
  context.drawImage(
    sheet, column * sizePx, line * sizePx, sizePx, sizePx, left, top, width, width,
  );
}
