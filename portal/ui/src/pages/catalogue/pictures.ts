// A product's pictures while they are being changed: uploaded at once, shown by the product when saved.
import { computed, ref, watch, type ShallowRef } from "vue";
import { useI18n } from "vue-i18n";

import { answer, api } from "../../api/client.ts";
import { newKey, Submission } from "../../api/submission.ts";
import type { Album, AlbumPicture } from "../../api/types.ts";
import { problemText } from "../../state/problem.ts";

export const BYTES_MAX = 8 * 1024 * 1024;
export const MB_MAX = BYTES_MAX / (1024 * 1024);
export const TAKEN = "image/jpeg,image/png,image/webp";

/** Whether two neighbours may change places: pictures of others stay in their order. */
export function mayPass(left: AlbumPicture | undefined, right: AlbumPicture | undefined): boolean {
  return left !== undefined && right !== undefined && (left.own || right.own);
}

async function upload(file: File): Promise<AlbumPicture> {
  const kept = await answer(
    api.POST("/api/pictures", {
      params: { header: { "Idempotency-Key": newKey() } },
      headers: { "Content-Type": file.type || "application/octet-stream" },
      body: file as never,
      bodySerializer: (body: unknown) => body as BodyInit,
    }),
  );
  return { ...kept, own: true };
}

export function useAlbum(album: ShallowRef<Album | undefined>) {
  const { t } = useI18n();
  const pictures = ref<AlbumPicture[]>([]);
  const uploading = ref("");
  const problems = ref<string[]>([]);
  const busy = ref(false);
  const submission = new Submission();
  const shown = computed(() => album.value?.pictures.map((picture) => picture.digest).join() ?? "");
  const changed = computed(() => pictures.value.map((picture) => picture.digest).join() !== shown.value);

  function discard(): void {
    pictures.value = [...(album.value?.pictures ?? [])];
    problems.value = [];
  }
  watch(album, discard, { immediate: true });

  function move(index: number, by: -1 | 1): void {
    const [left, right] = [pictures.value[index], pictures.value[index + by]];
    if (!left || !right) return;
    pictures.value[index] = right;
    pictures.value[index + by] = left;
  }

  function remove(index: number): void {
    pictures.value.splice(index, 1);
  }

  async function addOne(file: File): Promise<string> {
    const max = album.value?.pictures_max ?? 0;
    const { name } = file;
    if (pictures.value.length >= max) return t("pictures.tooMany", { n: max, name });
    if (file.size > BYTES_MAX) return t("pictures.tooHeavy", { name, mb: MB_MAX });
    try {
      const picture = await upload(file);
      if (pictures.value.some((one) => one.digest === picture.digest)) return t("pictures.already", { name });
      pictures.value.push(picture);
      return "";
    } catch (thrown) {
      const problem = problemText(thrown);
      return t("pictures.failed", { name, problem });
    }
  }

  /** Uploads one file after another; what was not taken is said, the others are. */
  async function add(files: readonly File[]): Promise<void> {
    problems.value = [];
    for (const file of files) {
      uploading.value = file.name;
      const problem = await addOne(file);
      if (problem) problems.value.push(problem);
    }
    uploading.value = "";
  }

  /** Shows the product by these pictures; tells whether that was done. */
  async function save(): Promise<boolean> {
    if (!album.value) return false;
    busy.value = true;
    problems.value = [];
    const path = { product_id: album.value.product_id };
    const body = { revision: album.value.revision, pictures: pictures.value.map((picture) => picture.digest) };
    try {
      await submission.send(body, (header) =>
        answer(api.PUT("/api/products/{product_id}/pictures", { params: { path, header }, body })),
      );
      return true;
    } catch (thrown) {
      problems.value = [problemText(thrown)];
      return false;
    } finally {
      busy.value = false;
    }
  }

  return { pictures, uploading, problems, busy, changed, add, move, remove, discard, save };
}
