// Images of a study for cornerstone: what its metadata providers are asked for.
import { readFileSync } from "node:fs";
import dcmjs from "dcmjs";
import { metaData } from "@cornerstonejs/core";

const { DicomMessage, DicomMetaDictionary } = dcmjs.data;

export function readDataset(path) {
  const bytes = readFileSync(path);
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  const file = DicomMessage.readFile(buffer);
  const dataset = DicomMetaDictionary.naturalizeDataset(file.dict);
  dataset._meta = DicomMetaDictionary.namifyDataset(file.meta);
  return dataset;
}

const firstOf = (value) => (Array.isArray(value) ? value[0] : value);

// Where a frame of an enhanced object lies stands in its functional groups.
function plane(instance, frame) {
  const shared = firstOf(instance.SharedFunctionalGroupsSequence) ?? {};
  const frames = instance.PerFrameFunctionalGroupsSequence;
  const own = frames ? (Array.isArray(frames) ? frames[frame - 1] : frames) : {};
  const stated = (group, keyword) =>
    firstOf(own[group])?.[keyword] ?? firstOf(shared[group])?.[keyword] ?? instance[keyword];
  const cosines = stated("PlaneOrientationSequence", "ImageOrientationPatient").map(Number);
  const spacing = stated("PixelMeasuresSequence", "PixelSpacing").map(Number);
  return {
    frameOfReferenceUID: instance.FrameOfReferenceUID,
    imagePositionPatient: stated("PlanePositionSequence", "ImagePositionPatient").map(Number),
    imageOrientationPatient: cosines,
    rowCosines: cosines.slice(0, 3),
    columnCosines: cosines.slice(3),
    rowPixelSpacing: spacing[0],
    columnPixelSpacing: spacing[1],
    pixelSpacing: spacing,
    rows: instance.Rows,
    columns: instance.Columns,
  };
}

// Register images by SOPInstanceUID; return the map that hydration looks them up in.
export function register(paths) {
  const known = new Map();
  const imageIds = {};
  for (const [uid, path] of Object.entries(paths)) {
    const instance = readDataset(path);
    const count = Number(instance.NumberOfFrames ?? 1);
    for (let frame = 1; frame <= count; frame += 1) {
      const imageId = `test:${uid}:${frame}`;
      known.set(imageId, { instance, frame });
      imageIds[`${uid}:${frame}`] = imageId;
    }
  }
  metaData.addProvider((type, imageId) => {
    const image = known.get(imageId);
    if (!image) return undefined;
    const { instance, frame } = image;
    switch (type) {
      case "imagePlaneModule":
        return plane(instance, frame);
      case "instance":
        return instance;
      case "frameNumber":
        return frame;
      case "sopCommonModule":
        return { sopInstanceUID: instance.SOPInstanceUID, sopClassUID: instance.SOPClassUID };
      case "imagePixelModule":
        return { rows: instance.Rows, columns: instance.Columns };
      case "generalSeriesModule":
        return { modality: instance.Modality, seriesInstanceUID: instance.SeriesInstanceUID };
      default:
        return undefined;
    }
  });
  return imageIds;
}
