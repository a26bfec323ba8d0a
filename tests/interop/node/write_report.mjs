// A structured report as OHIF saves one: JSON in, DICOM out.
//   node write_report.mjs < request.json
//   { "out": path, "images": { SOPInstanceUID: path }, "three_dimensional": bool,
//     "annotations": [{ "tool", "image", "frame", "points", "label", "stats", "finding" }] }
import { readFileSync, writeFileSync } from "node:fs";
import dcmjs from "dcmjs";
import { metaData, cache } from "@cornerstonejs/core";
import { adaptersSR } from "@cornerstonejs/adapters";
import { register } from "./images.mjs";

const request = JSON.parse(readFileSync(0, "utf8"));
const imageIds = register(request.images);
const { MeasurementReport, NO_IMAGE_ID } = adaptersSR.Cornerstone3D;
const state = {};
for (const one of request.annotations) {
  const imageId = imageIds[`${one.image}:${one.frame ?? 1}`];
  const plane = metaData.get("imagePlaneModule", imageId);
  const metadata = { toolName: one.tool, FrameOfReferenceUID: plane.frameOfReferenceUID };
  if (request.three_dimensional) {
    metadata.volumeId = "volume";
    cache.getVolume = () => ({ imageIds: [imageId] });
  } else {
    metadata.referencedImageId = imageId;
  }
  const place = request.three_dimensional ? NO_IMAGE_ID : imageId;
  state[place] ??= {};
  state[place][one.tool] ??= { data: [] };
  state[place][one.tool].data.push({
    annotationUID: `2.25.${Math.floor(Math.random() * 1e15)}`,
    metadata,
    finding: one.finding,
    findingSites: one.sites ?? [],
    data: {
      label: one.label,
      text: one.label,
      handles: { points: one.points, arrowFirst: true, textBox: { hasMoved: false } },
      contour: { polyline: one.points, closed: true },
      cachedStats: { [`imageId:${imageId}`]: one.stats ?? {}, "volumeId:volume": one.stats ?? {} },
      frameNumber: one.frame ?? 1,
    },
  });
}
const report = MeasurementReport.generateReport(state, metaData, {
  SeriesDescription: "OHIF measurements",
});
const content = dcmjs.data.datasetToDict(report.dataset).write();
writeFileSync(request.out, Buffer.from(content));
