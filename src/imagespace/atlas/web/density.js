// Where the pictures are many: soft shading with contour lines, as on a map of heights.

const SHADES = [[12, 16, 23], [19, 27, 40], [28, 41, 59], [41, 58, 80], [58, 78, 102]];
const FINER = 4; // times the grid's resolution, for the smooth picture of it
const CONTOURS = [0.16, 0.32, 0.5, 0.7, 0.86]; // of the root of the greatest density

function shade(share, shades) {
  const place = Math.min(1, share) * (shades.length - 1);
  const low = Math.min(shades.length - 2, Math.floor(place));
  return shades[low].map((c, i) => c + (shades[low + 1][i] - c) * (place - low));
}

function densityPicture(levels, [lines, columns], shades) {
  const canvas = document.createElement('canvas');
  canvas.width = columns;
  canvas.height = lines;
  const context = canvas.getContext('2d');
  const image = context.createImageData(columns, lines);
  for (let line = 0; line < lines; line++) {
    for (let column = 0; column < columns; column++) {
      // The first line of the grid lies lowest, the first line of a picture highest.
      const share = levels[(lines - 1 - line) * columns + column] / 255;
      image.data.set([...shade(share, shades), 255], 4 * (line * columns + column));
    }
  }
  context.putImageData(image, 0, 0);
  // Smoothed once, with care; every later drawing can then take the fastest way.
  const smooth = document.createElement('canvas');
  smooth.width = FINER * columns;
  smooth.height = FINER * lines;
  const wide = smooth.getContext('2d');
  wide.imageSmoothingQuality = 'high';
  wide.drawImage(canvas, 0, 0, smooth.width, smooth.height);
  return smooth;
}

// Marching squares (Lorensen and Cline 1987 in the plane), in map units.
function contourPath(levels, [lines, columns], [xMin, xMax, yMin, yMax], share) {
  const path = new Path2D();
  const height = 255 * share;
  const toX = (column) => xMin + ((column + 0.5) / columns) * (xMax - xMin);
  const toY = (line) => yMin + ((line + 0.5) / lines) * (yMax - yMin);
  const at = (column, line) => levels[line * columns + column] - height;
  for (let line = 0; line + 1 < lines; line++) {
    for (let column = 0; column + 1 < columns; column++) {
      const corners = [
        [column, line], [column + 1, line], [column + 1, line + 1], [column, line + 1],
      ];
      const cuts = [];
      for (let side = 0; side < 4; side++) {
        const [ax, ay] = corners[side];
        const [bx, by] = corners[(side + 1) % 4];
        const a = at(ax, ay);
        const b = at(bx, by);
        if (a >= 0 === b >= 0) continue;
        const way = a / (a - b);
        cuts.push([toX(ax + (bx - ax) * way), toY(ay + (by - ay) * way)]);
      }
      for (let k = 0; k + 1 < cuts.length; k += 2) {
        path.moveTo(...cuts[k]);
        path.lineTo(...cuts[k + 1]);
      }
    }
  }
  return path;
}

class Density {
  constructor(data, shades = SHADES) {
    this.extent = data.extent;
    this.picture = densityPicture(data.densityLevels, data.densityShape, shades);
    this.contours = CONTOURS.map((share) => (
      contourPath(data.densityLevels, data.densityShape, data.extent, share)
    ));
  }

  draw(context, camera, contourAlpha) {
    const [xMin, xMax, yMin, yMax] = this.extent;
    const { scale } = camera;
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = 'low';
    context.drawImage(
      this.picture, camera.toScreenX(xMin), camera.toScreenY(yMax),
      (xMax - xMin) * scale, (yMax - yMin) * scale,
    );
    if (contourAlpha <= 0) return;
    context.save();
    context.setTransform(scale, 0, 0, -scale, camera.toScreenX(0), camera.toScreenY(0));
    context.lineWidth = camera.dpr / scale;
    context.strokeStyle = `rgb(140 170 205 / ${contourAlpha})`;
    for (const contour of this.contours) context.stroke(contour);
    context.restore();
  }
}
